-- SPDX-License-Identifier: Apache-2.0

-- Unread counts. An event that notifies members by the default rules is one
-- row for all of them; whoever's rules or receipts say otherwise has a row of
-- difference. A count is a sum over the positions after the receipt.

CREATE TABLE unread (
	room_nid   BIGINT NOT NULL,
	thread_nid BIGINT NOT NULL, -- the thread's root event; 0: the main timeline
	pos        BIGINT NOT NULL,
	sender     TEXT   NOT NULL, -- for whom it does not count
	PRIMARY KEY (room_nid, thread_nid, pos)
);

CREATE TABLE unread_exceptions (
	user_id    TEXT   NOT NULL,
	room_nid   BIGINT NOT NULL,
	thread_nid BIGINT NOT NULL,
	pos        BIGINT NOT NULL,
	notify     BIGINT NOT NULL, -- added to what the default rules count: -1, 0 or 1
	highlight  BIGINT NOT NULL,
	PRIMARY KEY (user_id, room_nid, thread_nid, pos)
);
