-- SPDX-License-Identifier: Apache-2.0

-- The accounts of this server.

CREATE TABLE users (
	user_id        TEXT    NOT NULL PRIMARY KEY,
	kind           TEXT    NOT NULL, -- user, guest, bot, support
	appservice_id  TEXT    NOT NULL, -- '': none
	password_hash  TEXT    NOT NULL, -- '': no password
	admin          BOOLEAN NOT NULL,
	locked         BOOLEAN NOT NULL,
	suspended      BOOLEAN NOT NULL,
	created_at     BIGINT  NOT NULL,
	deactivated_at BIGINT  NOT NULL, -- 0: active
	erased         BOOLEAN NOT NULL,
	rules_version   BIGINT NOT NULL DEFAULT 0, -- counts the changes of the push rules and of whom the user ignores
	profile_version BIGINT NOT NULL DEFAULT 0 -- incremented with each profile change that rooms show
);

CREATE TABLE devices (
	user_id      TEXT   NOT NULL,
	device_id    TEXT   NOT NULL,
	display_name TEXT   NOT NULL,
	created_at   BIGINT NOT NULL,
	seen_at      BIGINT NOT NULL,
	seen_ip      TEXT   NOT NULL,
	seen_agent   TEXT   NOT NULL,
	PRIMARY KEY (user_id, device_id)
);

-- Tokens are stored as hashes, so that reading the database gives no access.
CREATE TABLE access_tokens (
	token_hash TEXT   NOT NULL PRIMARY KEY,
	user_id    TEXT   NOT NULL,
	device_id  TEXT   NOT NULL, -- '': none, as for old guests and admin tokens
	client_id  TEXT   NOT NULL, -- the OAuth client; '': the login API
	scopes     TEXT   NOT NULL, -- OAuth scopes, separated by spaces; '': all
	refresh    TEXT   NOT NULL, -- hash of the refresh token it came with; '': none
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL, -- 0: never
	used_at    BIGINT NOT NULL  -- 0: not yet
);
CREATE INDEX access_tokens_by_device ON access_tokens (user_id, device_id);

-- A refresh token stays until its successor has been used, so that a client can repeat
-- a request whose answer was lost.
CREATE TABLE refresh_tokens (
	token_hash TEXT   NOT NULL PRIMARY KEY,
	user_id    TEXT   NOT NULL,
	device_id  TEXT   NOT NULL,
	client_id  TEXT   NOT NULL,
	scopes     TEXT   NOT NULL,
	successor  TEXT   NOT NULL, -- hash of the token it was exchanged for; '': none
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL  -- 0: never
);
CREATE INDEX refresh_tokens_by_device ON refresh_tokens (user_id, device_id);
CREATE INDEX refresh_tokens_by_successor ON refresh_tokens (successor) WHERE successor <> '';

-- One row for each field: displayname, avatar_url, m.tz and others.
CREATE TABLE profiles (
	user_id TEXT  NOT NULL,
	field   TEXT  NOT NULL,
	value   BYTEA NOT NULL, -- JSON
	PRIMARY KEY (user_id, field)
);

CREATE TABLE account_data (
	user_id  TEXT   NOT NULL,
	room_nid BIGINT NOT NULL, -- 0: global
	type     TEXT   NOT NULL,
	content  BYTEA  NOT NULL, -- JSON; empty: deleted
	pos      BIGINT NOT NULL,
	PRIMARY KEY (user_id, room_nid, type)
);
CREATE INDEX account_data_by_pos ON account_data (user_id, pos);

CREATE TABLE filters (
	user_id   TEXT   NOT NULL,
	filter_id BIGINT NOT NULL,
	hash      TEXT   NOT NULL, -- the same filter gets the same ID
	filter    BYTEA  NOT NULL, -- JSON
	PRIMARY KEY (user_id, filter_id)
);
CREATE UNIQUE INDEX filters_by_hash ON filters (user_id, hash);

CREATE TABLE ui_auth_sessions (
	session_id TEXT   NOT NULL PRIMARY KEY, -- hash of the session ID that the client has
	operation  TEXT   NOT NULL, -- the operation that it authorises
	user_id    TEXT   NOT NULL, -- '': nobody yet
	request    BYTEA  NOT NULL, -- request parameters, encrypted
	completed  TEXT   NOT NULL, -- completed stages, separated by spaces
	result     TEXT   NOT NULL, -- result of its completion, for example a user ID; '': none yet
	created_at BIGINT NOT NULL
);
CREATE INDEX ui_auth_sessions_by_age ON ui_auth_sessions (created_at);
CREATE INDEX ui_auth_sessions_by_user ON ui_auth_sessions (user_id, created_at);
