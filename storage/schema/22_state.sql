-- SPDX-License-Identifier: Apache-2.0

-- Room state: content-addressed nodes shared by all states that contain them,
-- and the room's current state since each position.

CREATE TABLE state_nodes (
	node_id TEXT  NOT NULL,
	body    BYTEA NOT NULL,
	PRIMARY KEY (node_id)
);

CREATE TABLE room_state (
	room_nid BIGINT NOT NULL,
	pos      BIGINT NOT NULL,
	root     TEXT   NOT NULL,
	PRIMARY KEY (room_nid, pos)
);
