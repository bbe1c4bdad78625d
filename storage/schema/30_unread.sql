-- SPDX-License-Identifier: Apache-2.0

-- Unread counts. An event that notifies members by the default rules is one
-- row for all of them; whoever's rules say otherwise has a row of difference.
-- nth counts on, so that what is between two positions is one difference,
-- however much it is.

CREATE TABLE unread (
	room_nid   BIGINT NOT NULL,
	thread_nid BIGINT NOT NULL, -- the thread's root event; 0: the main timeline
	pos        BIGINT NOT NULL,
	nth        BIGINT NOT NULL, -- of the room's thread, from 1 on
	PRIMARY KEY (room_nid, thread_nid, pos)
);

-- The threads of a room but the main timeline, by where they go on.
CREATE TABLE unread_threads (
	room_nid   BIGINT NOT NULL,
	thread_nid BIGINT NOT NULL,
	pos        BIGINT NOT NULL, -- of the thread's last row
	PRIMARY KEY (room_nid, thread_nid)
);
CREATE INDEX unread_threads_by_pos ON unread_threads (room_nid, pos);

CREATE TABLE unread_exceptions (
	room_nid   BIGINT NOT NULL,
	user_id    TEXT   NOT NULL,
	thread_nid BIGINT NOT NULL,
	pos        BIGINT NOT NULL,
	notify     BIGINT NOT NULL, -- added to what the default rules count: -1, 0 or 1
	highlight  BIGINT NOT NULL,
	PRIMARY KEY (room_nid, user_id, pos, thread_nid)
);

-- Events that were redacted, and count for nobody any more.
CREATE TABLE unread_redacted (
	room_nid   BIGINT NOT NULL,
	pos        BIGINT NOT NULL,
	thread_nid BIGINT NOT NULL,
	counted    BIGINT NOT NULL, -- of unread that are the event's: 0 or 1
	PRIMARY KEY (room_nid, pos)
);
