-- SPDX-License-Identifier: Apache-2.0

-- Work that is done after the answer. The transaction that causes it writes the
-- row; whoever has done it deletes the row.
CREATE TABLE jobs (
	job_id     BIGINT NOT NULL,
	kind       TEXT   NOT NULL, -- who does it
	key        TEXT   NOT NULL, -- what to look at
	payload    BYTEA  NOT NULL, -- what else there is to know
	progress   BYTEA  NOT NULL, -- how far it has come; empty: nothing is done
	generation BIGINT NOT NULL, -- counts what has caused it: it is done when nothing has since it began
	run_at     BIGINT NOT NULL, -- not before, milliseconds; 0: at once
	attempts   BIGINT NOT NULL, -- that have failed in a row
	holder     TEXT   NOT NULL, -- who does it now; '': nobody
	held       BIGINT NOT NULL, -- counts on while the holder does it
	last_error TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (kind, key)
);
CREATE UNIQUE INDEX jobs_by_id ON jobs (job_id);
CREATE INDEX jobs_free ON jobs (run_at, job_id) WHERE holder = '';
CREATE INDEX jobs_held ON jobs (job_id) WHERE holder > '';
CREATE INDEX jobs_failing ON jobs (kind) WHERE attempts >= 10;
