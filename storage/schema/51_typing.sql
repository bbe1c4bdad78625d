-- SPDX-License-Identifier: Apache-2.0

-- Who is typing in a room, or has been: one row a user.
CREATE TABLE typing (
	room_nid BIGINT NOT NULL,
	user_id  TEXT   NOT NULL,
	until    BIGINT NOT NULL, -- 0: the user has stopped
	pos      BIGINT NOT NULL, -- where the user began or stopped
	PRIMARY KEY (room_nid, user_id)
);
CREATE INDEX typing_by_pos ON typing (room_nid, pos);
CREATE INDEX typing_now ON typing (until) WHERE until > 0;
CREATE INDEX typing_in ON typing (room_nid, until) WHERE until > 0;
