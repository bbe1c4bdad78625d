-- SPDX-License-Identifier: Apache-2.0

-- How far users have read rooms: one row for each kind of receipt and each
-- thread. The main timeline is a thread; so is the whole room.
CREATE TABLE receipts (
	room_nid   BIGINT NOT NULL,
	user_id    TEXT   NOT NULL,
	thread_nid BIGINT NOT NULL, -- the thread's root event; 0: the main timeline, -1: the whole room
	kind       TEXT   NOT NULL, -- m.read, m.read.private
	thread     TEXT   NOT NULL, -- what clients call it; '': the whole room
	event_id   TEXT   NOT NULL,
	event_pos  BIGINT NOT NULL, -- the event's; 0: none
	ts         BIGINT NOT NULL,
	pos        BIGINT NOT NULL,
	PRIMARY KEY (room_nid, user_id, thread_nid, kind)
);
CREATE INDEX receipts_by_pos ON receipts (room_nid, pos);
CREATE INDEX receipts_by_user ON receipts (user_id, pos);
