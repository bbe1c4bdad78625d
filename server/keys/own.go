// SPDX-License-Identifier: Apache-2.0

// Package keys has the signing keys of servers. It must not know what is signed.
package keys

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"touchstone.example/api/id"
	"touchstone.example/server/env"
	"touchstone.example/server/event"
	"touchstone.example/storage"
)

// Names of the server's own values in the database.
const (
	infoServerName = "server_name"
	infoSigningKey = "signing_key"
)

// Own assigns a new database to this server, or checks that it belongs to it: the name
// is in every user and room ID and cannot change. The signing key is made once.
func Own(ctx context.Context, db *storage.DB, e *env.Env, server id.ServerName) (event.Signer, error) {
	fresh := event.Signer{
		KeyID: id.KeyID("ed25519:a_" + e.Rand.Token("signing key id", "", 6)),
		Key:   ed25519.NewKeyFromSeed(e.Rand.Bytes("signing key", "", ed25519.SeedSize)),
	}
	var name, key string
	err := db.Write(ctx, func(tx *storage.Writer) (err error) {
		if name, err = tx.EnsureServerInfo(ctx, infoServerName, string(server)); err != nil {
			return err
		}
		key, err = tx.EnsureServerInfo(ctx, infoSigningKey, encodeKey(fresh))
		return err
	})
	if err != nil {
		return event.Signer{}, fmt.Errorf("read the server's identity: %w", err)
	}
	if name != string(server) {
		return event.Signer{}, fmt.Errorf("the database belongs to a server named %q, and the settings say %q; a server's name cannot change", name, server)
	}
	signer, err := decodeKey(key)
	signer.Name = server
	return signer, err
}

func encodeKey(s event.Signer) string {
	return string(s.KeyID) + " " + event.EncodeBase64(s.Key.Seed())
}

func decodeKey(text string) (s event.Signer, err error) {
	var keyID, seed string
	if _, err := fmt.Sscanf(text, "%s %s", &keyID, &seed); err != nil {
		return s, errors.New("the signing key in the database is not in the form that this program writes")
	}
	raw, err := event.DecodeBase64(seed)
	if err != nil || len(raw) != ed25519.SeedSize {
		return s, errors.New("the signing key in the database is damaged")
	}
	return event.Signer{KeyID: id.KeyID(keyID), Key: ed25519.NewKeyFromSeed(raw)}, nil
}
