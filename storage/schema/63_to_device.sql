-- SPDX-License-Identifier: Apache-2.0

-- Messages to devices, until each device has acknowledged its own.
CREATE TABLE to_device (
	user_id   TEXT   NOT NULL,
	device_id TEXT   NOT NULL,
	pos       BIGINT NOT NULL,
	sender    TEXT   NOT NULL,
	type      TEXT   NOT NULL,
	content   BYTEA  NOT NULL, -- a JSON object
	PRIMARY KEY (user_id, device_id, pos)
);
