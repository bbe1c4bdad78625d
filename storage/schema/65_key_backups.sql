-- SPDX-License-Identifier: Apache-2.0

-- Backups of room keys, encrypted by clients.

-- A user's versions are numbered; the number of a deleted backup is not used again.
CREATE TABLE key_backups (
	user_id   TEXT    NOT NULL,
	version   BIGINT  NOT NULL,
	algorithm TEXT    NOT NULL,
	auth_data BYTEA   NOT NULL, -- JSON; empty: deleted
	etag      BIGINT  NOT NULL, -- incremented with each change of the keys
	keys      BIGINT  NOT NULL, -- number of keys
	deleted   BOOLEAN NOT NULL, -- the row stays, so that deleting it again succeeds
	PRIMARY KEY (user_id, version)
);
CREATE INDEX key_backups_current ON key_backups (user_id, version) WHERE NOT deleted;

CREATE TABLE backed_up_keys (
	user_id             TEXT    NOT NULL,
	version             BIGINT  NOT NULL,
	room_id             TEXT    NOT NULL,
	session_id          TEXT    NOT NULL,
	first_message_index BIGINT  NOT NULL,
	forwarded_count     BIGINT  NOT NULL,
	is_verified         BOOLEAN NOT NULL,
	session_data        BYTEA   NOT NULL, -- JSON
	PRIMARY KEY (user_id, version, room_id, session_id)
);
