-- SPDX-License-Identifier: Apache-2.0

-- Tokens by which a user proves to another service who it is. They open nothing
-- else, and are kept as hashes.
CREATE TABLE openid_tokens (
	token_hash TEXT   NOT NULL PRIMARY KEY,
	user_id    TEXT   NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX openid_tokens_by_age ON openid_tokens (expires_at);
