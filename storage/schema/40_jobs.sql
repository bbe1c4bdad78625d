-- SPDX-License-Identifier: Apache-2.0

-- Work that is done after the answer. The transaction that causes it inserts the row;
-- the process that has done it deletes the row.
CREATE TABLE jobs (
	job_id     BIGINT NOT NULL,
	kind       TEXT   NOT NULL, -- who does it
	key        TEXT   NOT NULL, -- what to look at
	payload    BYTEA  NOT NULL, -- further data for the job
	progress   BYTEA  NOT NULL, -- stored progress; empty: none
	generation BIGINT NOT NULL, -- incremented when the job is put again; it is done if unchanged since it began
	run_at     BIGINT NOT NULL, -- not before, milliseconds; 0: at once
	attempts   BIGINT NOT NULL, -- failed attempts in a row
	holder     TEXT   NOT NULL, -- the process that does it; '': none
	held       BIGINT NOT NULL, -- incremented by the holder while it works
	last_error TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (kind, key)
);
CREATE UNIQUE INDEX jobs_by_id ON jobs (job_id);
CREATE INDEX jobs_free ON jobs (run_at, job_id) WHERE holder = '';
CREATE INDEX jobs_held ON jobs (job_id) WHERE holder > '';
CREATE INDEX jobs_failing ON jobs (kind) WHERE attempts >= 10;
