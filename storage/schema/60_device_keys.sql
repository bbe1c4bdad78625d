-- SPDX-License-Identifier: Apache-2.0

-- The public keys of our users' devices, as the devices have uploaded them.

-- Identity keys: one row for each device that has any.
CREATE TABLE device_keys (
	user_id   TEXT  NOT NULL,
	device_id TEXT  NOT NULL,
	keys      BYTEA NOT NULL, -- canonical JSON with the device's own signature
	PRIMARY KEY (user_id, device_id)
);

-- One-time keys. A claimed key stays for a while, so that a repeated upload does not
-- add it again.
CREATE TABLE one_time_keys (
	user_id    TEXT   NOT NULL,
	device_id  TEXT   NOT NULL,
	algorithm  TEXT   NOT NULL,
	key_id     TEXT   NOT NULL,
	key        BYTEA  NOT NULL, -- JSON
	pos        BIGINT NOT NULL, -- position of its upload; the earliest is claimed first
	claimed_at BIGINT NOT NULL, -- milliseconds; 0: not yet
	PRIMARY KEY (user_id, device_id, algorithm, key_id)
);
CREATE INDEX one_time_keys_free ON one_time_keys (user_id, device_id, algorithm, pos, key_id) WHERE claimed_at = 0;
CREATE INDEX one_time_keys_claimed ON one_time_keys (user_id, device_id, claimed_at) WHERE claimed_at > 0;

-- Fallback keys: claimed when no one-time key is left, one for each algorithm.
CREATE TABLE fallback_keys (
	user_id   TEXT    NOT NULL,
	device_id TEXT    NOT NULL,
	algorithm TEXT    NOT NULL,
	key_id    TEXT    NOT NULL,
	key       BYTEA   NOT NULL, -- JSON
	used      BOOLEAN NOT NULL,
	PRIMARY KEY (user_id, device_id, algorithm)
);
