-- SPDX-License-Identifier: Apache-2.0

-- Guesses at passwords and the like that were wrong. A failure is forgiven
-- after some time, one after the other.
CREATE TABLE failures (
	subject     TEXT   NOT NULL PRIMARY KEY, -- what was guessed at
	forgiven_at BIGINT NOT NULL              -- when the last failure is
);
CREATE INDEX failures_by_age ON failures (forgiven_at);
