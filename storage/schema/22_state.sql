-- SPDX-License-Identifier: Apache-2.0

-- Room state: content-addressed nodes shared by all states that contain them,
-- and the room's current state since each position.

CREATE TABLE state_nodes (
	node_id TEXT  NOT NULL,
	body    BYTEA NOT NULL,
	PRIMARY KEY (node_id)
);

CREATE TABLE room_state (
	room_nid BIGINT  NOT NULL,
	pos      BIGINT  NOT NULL,
	root     TEXT    NOT NULL,
	by_resolution BOOLEAN NOT NULL, -- changed by state resolution, not only by the event at this position
	PRIMARY KEY (room_nid, pos)
);
CREATE INDEX room_state_by_resolution ON room_state (room_nid, by_resolution, pos) WHERE by_resolution;
