-- SPDX-License-Identifier: Apache-2.0

-- Presence, one row for each user who has been there. What others are told is
-- state, status_msg, currently_active and last_active_at.
CREATE TABLE presence (
	user_id          TEXT    NOT NULL PRIMARY KEY,
	state            TEXT    NOT NULL, -- online, unavailable, offline
	status_msg       TEXT    NOT NULL, -- '': none
	currently_active BOOLEAN NOT NULL,
	last_active_at   BIGINT  NOT NULL,
	online_at        BIGINT  NOT NULL, -- when a device that is in use was last seen
	idle_at          BIGINT  NOT NULL, -- when a device that calls itself idle was
	due_at           BIGINT  NOT NULL, -- when time alone changes what others are told; 0: never
	pos              BIGINT  NOT NULL  -- where what others are told changed
);
CREATE INDEX presence_by_pos ON presence (pos);
CREATE INDEX presence_by_due ON presence (due_at) WHERE due_at > 0;
