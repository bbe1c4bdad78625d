-- SPDX-License-Identifier: Apache-2.0

-- The push rules of users who have changed any: what they changed. Who has no row
-- has the default rules. See users.rules_version.
CREATE TABLE push_rules (
	user_id TEXT   NOT NULL PRIMARY KEY,
	rules   BYTEA  NOT NULL, -- JSON
	pos     BIGINT NOT NULL  -- of the last change
);
