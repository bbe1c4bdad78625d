-- SPDX-License-Identifier: Apache-2.0

-- Requests with a transaction id, and what they were answered with. Of a
-- device: after logging in again the same id is a new request.
CREATE TABLE transactions (
	user_id    TEXT   NOT NULL,
	device_id  TEXT   NOT NULL,
	operation  TEXT   NOT NULL, -- the endpoint with its path parameters
	txn_id     TEXT   NOT NULL,
	event_nid  BIGINT NOT NULL, -- what it made; 0: not an event
	answer     BYTEA  NOT NULL, -- the body it was answered with; empty: made from the event
	created_at BIGINT NOT NULL,
	PRIMARY KEY (user_id, device_id, operation, txn_id)
);
CREATE INDEX transactions_by_event ON transactions (event_nid) WHERE event_nid <> 0;
CREATE INDEX transactions_by_age ON transactions (created_at);
