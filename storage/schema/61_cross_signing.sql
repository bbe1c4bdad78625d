-- SPDX-License-Identifier: Apache-2.0

-- Cross-signing keys: the public keys with which users sign their devices' keys and
-- each other's.

CREATE TABLE cross_signing_keys (
	user_id TEXT  NOT NULL,
	usage   TEXT  NOT NULL, -- master, self_signing, user_signing
	key_id  TEXT  NOT NULL, -- the public key
	key     BYTEA NOT NULL, -- canonical JSON with the signatures that came with it
	PRIMARY KEY (user_id, usage)
);

-- Signatures that were uploaded without a key, each verified.
CREATE TABLE key_signatures (
	user_id   TEXT NOT NULL, -- owner of the signed key
	key_id    TEXT NOT NULL, -- device ID, or public key of the user's cross-signing key
	signer    TEXT NOT NULL, -- user who signed it
	signed_by TEXT NOT NULL, -- ID of the signing key: ed25519:…
	signature TEXT NOT NULL,
	PRIMARY KEY (user_id, key_id, signer, signed_by)
);
