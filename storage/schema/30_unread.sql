-- SPDX-License-Identifier: Apache-2.0

-- Unread counts. An event that notifies members by the default push rules has one row
-- for all of them. A user whose rules differ for it has a row in unread_exceptions. nth
-- numbers the rows, so that the count between two positions is one subtraction.

CREATE TABLE unread (
	room_nid   BIGINT NOT NULL,
	thread_nid BIGINT NOT NULL, -- the thread's root event; 0: the main timeline
	pos        BIGINT NOT NULL,
	nth        BIGINT NOT NULL, -- number within the thread, from 1
	PRIMARY KEY (room_nid, thread_nid, pos)
);

-- The threads of a room without the main timeline, by their last position.
CREATE TABLE unread_threads (
	room_nid   BIGINT NOT NULL,
	thread_nid BIGINT NOT NULL,
	pos        BIGINT NOT NULL, -- position position position of the thread's last row
	PRIMARY KEY (room_nid, thread_nid)
);
CREATE INDEX unread_threads_by_pos ON unread_threads (room_nid, pos);

CREATE TABLE unread_exceptions (
	room_nid   BIGINT NOT NULL,
	user_id    TEXT   NOT NULL,
	thread_nid BIGINT NOT NULL,
	pos        BIGINT NOT NULL,
	notify     BIGINT NOT NULL, -- added to the default rules' count: -1, 0 or 1
	highlight  BIGINT NOT NULL,
	PRIMARY KEY (room_nid, user_id, pos, thread_nid)
);

-- Redacted events, which no longer count.
CREATE TABLE unread_redacted (
	room_nid   BIGINT NOT NULL,
	pos        BIGINT NOT NULL,
	thread_nid BIGINT NOT NULL,
	counted    BIGINT NOT NULL, -- number of its rows in unread: 0 or 1
	PRIMARY KEY (room_nid, pos)
);
