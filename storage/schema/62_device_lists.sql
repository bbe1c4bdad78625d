-- SPDX-License-Identifier: Apache-2.0

-- The position at which each user's devices, their keys or cross-signing keys last
-- changed. The log of changes has it too, by room, but its old rows are deleted.
CREATE TABLE device_lists (
	user_id TEXT   NOT NULL PRIMARY KEY,
	pos     BIGINT NOT NULL
);
CREATE INDEX device_lists_by_pos ON device_lists (pos, user_id);

-- The position at which a user last signed another's master key: news for the signer's
-- devices.
CREATE TABLE signed_users (
	user_id TEXT   NOT NULL,
	signed  TEXT   NOT NULL,
	pos     BIGINT NOT NULL,
	PRIMARY KEY (user_id, signed)
);
CREATE INDEX signed_users_by_pos ON signed_users (user_id, pos);
