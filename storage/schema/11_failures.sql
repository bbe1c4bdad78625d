-- SPDX-License-Identifier: Apache-2.0

-- Failed attempts at passwords and other secrets. They expire one after the other.
CREATE TABLE failures (
	subject     TEXT   NOT NULL PRIMARY KEY, -- the account or secret
	forgiven_at BIGINT NOT NULL              -- when the last failed attempt expires
);
CREATE INDEX failures_by_age ON failures (forgiven_at);
