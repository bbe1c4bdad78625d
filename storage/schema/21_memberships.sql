-- SPDX-License-Identifier: Apache-2.0

-- Current memberships, one row for each user who ever had one in a room: the member
-- events of the room's state, by user.
CREATE TABLE memberships (
	room_nid   BIGINT  NOT NULL,
	user_id    TEXT    NOT NULL,
	membership TEXT    NOT NULL,
	event_nid  BIGINT  NOT NULL,
	sender     TEXT    NOT NULL, -- sender of the membership event: distinguishes a kick from a leave
	pos        BIGINT  NOT NULL, -- position at which it became so
	local      BOOLEAN NOT NULL, -- the user is on this server
	server     TEXT    NOT NULL, -- the user's
	forgotten  BOOLEAN NOT NULL,
	read_pos   BIGINT  NOT NULL DEFAULT 0, -- position up to which the user has read
	rules_version BIGINT NOT NULL DEFAULT 0, -- the user's, copied: 0 for the default push rules
	PRIMARY KEY (room_nid, user_id)
);
CREATE INDEX memberships_with_rules ON memberships (room_nid, user_id, membership, rules_version) WHERE rules_version > 0;
CREATE INDEX memberships_by_user ON memberships (user_id, membership, room_nid);
CREATE INDEX memberships_by_room ON memberships (room_nid, membership, local, user_id) WHERE local;
CREATE INDEX memberships_by_server ON memberships (room_nid, server) WHERE membership = 'join';
CREATE INDEX memberships_by_age ON memberships (room_nid, membership, pos);
