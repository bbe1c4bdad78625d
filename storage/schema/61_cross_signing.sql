-- SPDX-License-Identifier: Apache-2.0

-- The public keys by which users vouch for their devices and for each other.

CREATE TABLE cross_signing_keys (
	user_id TEXT  NOT NULL,
	usage   TEXT  NOT NULL, -- master, self_signing, user_signing
	key_id  TEXT  NOT NULL, -- the public key
	key     BYTEA NOT NULL, -- canonical JSON with the signatures that came with it
	PRIMARY KEY (user_id, usage)
);

-- Signatures that were uploaded by themselves, each verified.
CREATE TABLE key_signatures (
	user_id   TEXT NOT NULL, -- whose key is signed
	key_id    TEXT NOT NULL, -- a device, or a public key of the user's
	signer    TEXT NOT NULL, -- who has signed it
	signed_by TEXT NOT NULL, -- with which key: ed25519:…
	signature TEXT NOT NULL,
	PRIMARY KEY (user_id, key_id, signer, signed_by)
);
