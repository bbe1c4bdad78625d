-- SPDX-License-Identifier: Apache-2.0

-- Rooms and their events.

CREATE TABLE rooms (
	nid             BIGINT  NOT NULL PRIMARY KEY,
	room_id         TEXT    NOT NULL UNIQUE,
	room_version    TEXT    NOT NULL,
	version         BIGINT  NOT NULL, -- counts commits; each compares and sets it
	state_root      TEXT    NOT NULL, -- current state; '': nothing known
	max_depth       BIGINT  NOT NULL,
	public          BOOLEAN NOT NULL, -- in the published directory
	partial         BOOLEAN NOT NULL, -- joined, state still being fetched
	out_of_order    BOOLEAN NOT NULL, -- some event came with a lower topological position than an earlier arrival
	reevaluate_from BIGINT  NOT NULL, -- re-check rejections from this event on; 0: nothing to re-check
	created_at      BIGINT  NOT NULL
);
CREATE INDEX rooms_public ON rooms (nid) WHERE public;

-- The bytes of an event never change; the columns after them are verdicts, which may.
-- The topological position in the room is (depth, nid). depth is clamped when the event
-- is stored; neither changes while the event is part of the room's graph.
CREATE TABLE events (
	nid              BIGINT  NOT NULL PRIMARY KEY,
	event_id         TEXT    NOT NULL UNIQUE,
	room_nid         BIGINT  NOT NULL,
	type             TEXT    NOT NULL,
	state_key        TEXT,             -- NULL: not a state event
	sender           TEXT    NOT NULL,
	depth            BIGINT  NOT NULL,
	pos              BIGINT,           -- stream position of its stream position of its stream position of its arrival; NULL: outlier or backfilled
	origin_server_ts BIGINT  NOT NULL,
	redacts          TEXT    NOT NULL, -- the event ID that it redacts; '': none
	replaces_nid     BIGINT  NOT NULL, -- the state event that it replaced; 0: none
	auth_nids        BYTEA   NOT NULL, -- its auth events, encoded by packNIDs
	pdu              BYTEA   NOT NULL, -- as signed
	client           BYTEA   NOT NULL, -- as clients see it, without unsigned
	rejected         BOOLEAN NOT NULL,
	soft_failed      BOOLEAN NOT NULL,
	outlier          BOOLEAN NOT NULL,
	partial          BOOLEAN NOT NULL, -- checked against incomplete state
	forked           BOOLEAN NOT NULL, -- on arrival, the state before it was not the room's current state
	redacted_by      BIGINT  NOT NULL, -- nid of the redaction that applies; 0: none
	state_before     TEXT    NOT NULL, -- root of the state that it was checked against; '': not known
	state_after      TEXT    NOT NULL
);
CREATE INDEX events_by_topo_pos ON events (room_nid, depth, nid);
CREATE INDEX events_by_member ON events (room_nid, state_key, depth, nid) WHERE type = 'm.room.member';
CREATE INDEX events_by_time ON events (room_nid, origin_server_ts);
CREATE UNIQUE INDEX events_by_pos ON events (room_nid, pos) WHERE pos IS NOT NULL;

-- Redactions received before their target. Whether one applies can be decided
-- only when the target arrives; until then it is stored as soft-failed, so that
-- clients do not see it.
CREATE TABLE waiting_redactions (
	redacts   TEXT   NOT NULL,
	event_nid BIGINT NOT NULL,
	PRIMARY KEY (redacts, event_nid)
);

-- The state events that have an event as auth event: the reverse of auth_nids. It shows
-- whether the auth chains of a state contain an event, without walking all of them.
-- Message events are nobody's auth events and need no rows.
CREATE TABLE auth_edges (
	auth_nid  BIGINT NOT NULL,
	event_nid BIGINT NOT NULL,
	PRIMARY KEY (auth_nid, event_nid)
);

-- The events that will be prev_events of a room's next event.
CREATE TABLE forward_extremities (
	room_nid  BIGINT NOT NULL,
	event_nid BIGINT NOT NULL,
	PRIMARY KEY (room_nid, event_nid)
);

-- Missing events that stored events have as prev_events: where backfill continues. When
-- one arrives, it is no forward extremity.
CREATE TABLE backward_extremities (
	room_nid  BIGINT NOT NULL,
	event_id  TEXT   NOT NULL,
	event_nid BIGINT NOT NULL, -- the stored event that has it as prev_event
	PRIMARY KEY (room_nid, event_id, event_nid)
);

CREATE TABLE room_aliases (
	alias      TEXT   NOT NULL PRIMARY KEY,
	room_nid   BIGINT NOT NULL,
	creator    TEXT   NOT NULL,
	created_at BIGINT NOT NULL
);
CREATE INDEX room_aliases_by_room ON room_aliases (room_nid);
