-- SPDX-License-Identifier: Apache-2.0

-- Data about the server itself.

-- Blocks of row numbers that were given out, by name (SQLite; see numbers.go).
CREATE TABLE id_blocks (
	name  TEXT   NOT NULL PRIMARY KEY,
	taken BIGINT NOT NULL
);

-- Single values: the server's name, its signing key and the like.
CREATE TABLE server_info (
	name  TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
);

-- The log of changes: a row for each change that a client can see. Sync, push,
-- federation, search and caches read it with cursors. A position may have several rows,
-- numbered by n.
CREATE TABLE changes (
	pos      BIGINT NOT NULL,
	n        BIGINT NOT NULL,
	kind     TEXT   NOT NULL,
	room_nid BIGINT NOT NULL, -- 0: none
	user_id  TEXT   NOT NULL, -- '': none
	ref      BIGINT NOT NULL, -- what changed, usually an event's nid
	PRIMARY KEY (pos, n)
);

-- The position that each reader of the log has reached.
CREATE TABLE cursors (
	name TEXT   NOT NULL PRIMARY KEY,
	pos  BIGINT NOT NULL
);
