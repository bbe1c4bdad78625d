-- SPDX-License-Identifier: Apache-2.0

-- OpenID tokens, by which a user proves their identity to another service. They give no
-- other access and are stored as hashes.
CREATE TABLE openid_tokens (
	token_hash TEXT   NOT NULL PRIMARY KEY,
	user_id    TEXT   NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX openid_tokens_by_age ON openid_tokens (expires_at);
