-- SPDX-License-Identifier: Apache-2.0

-- Requests with a transaction ID, and their answers. IDs belong to a device: after a
-- new login the same ID is a new request.
CREATE TABLE transactions (
	user_id    TEXT   NOT NULL,
	device_id  TEXT   NOT NULL,
	operation  TEXT   NOT NULL, -- the endpoint with its path parameters
	txn_id     TEXT   NOT NULL,
	event_nid  BIGINT NOT NULL, -- the event it sent; 0: none
	answer     BYTEA  NOT NULL, -- the body it was answered with; empty: made from the event
	created_at BIGINT NOT NULL,
	PRIMARY KEY (user_id, device_id, operation, txn_id)
);
CREATE INDEX transactions_by_event ON transactions (event_nid) WHERE event_nid <> 0;
CREATE INDEX transactions_by_age ON transactions (created_at);
