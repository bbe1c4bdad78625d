-- SPDX-License-Identifier: Apache-2.0

-- What the server keeps about itself.

-- Blocks of row numbers given out, by name (SQLite; see numbers.go).
CREATE TABLE id_blocks (
	name  TEXT   NOT NULL PRIMARY KEY,
	taken BIGINT NOT NULL
);

-- Single values: the server's name, its signing key and the like.
CREATE TABLE server_info (
	name  TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
);

-- The one log: a row for everything that a client can see change. Sync, push,
-- federation, search and caches are cursors over it. A position may carry
-- several rows, told apart by n.
CREATE TABLE changes (
	pos      BIGINT NOT NULL,
	n        BIGINT NOT NULL,
	kind     TEXT   NOT NULL,
	room_nid BIGINT NOT NULL, -- 0: none
	user_id  TEXT   NOT NULL, -- '': none
	ref      BIGINT NOT NULL, -- what changed: an event's nid, mostly
	PRIMARY KEY (pos, n)
);

-- How far each reader of the log has come.
CREATE TABLE cursors (
	name TEXT   NOT NULL PRIMARY KEY,
	pos  BIGINT NOT NULL
);
