// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/storage"
)

// A VerifyKey is a key with which a server signs, or did.
type VerifyKey struct {
	Key ed25519.PublicKey
	// ValidUntilTS is when its server has to be asked for it again, in
	// milliseconds. Spec: server-server "Publishing Keys", valid_until_ts.
	ValidUntilTS int64
	// ExpiredTS is when its server stopped using it, 0 if it has not. Spec:
	// server-server "Publishing Keys", old_verify_keys.
	ExpiredTS int64
}

// Keys finds the keys of servers. It may ask the network.
type KeyRing interface {
	// VerifyKey returns a key of a server, storage.ErrNotFound if nobody knows it.
	// It should have been valid at a time, in milliseconds, if that can be had.
	VerifyKey(ctx context.Context, server id.ServerName, keyID id.KeyID, ts int64) (VerifyKey, error)
}

// checkSignatures drops the event unless the servers that must have signed it
// have. Signatures of keys that are unknown, or had expired when the event was
// sent, are skipped.
//
// Spec: server-server "Validating hashes and signatures on received events".
func (a *inbound) checkSignatures(ctx context.Context) error {
	if err := a.findSigners(ctx); err != nil {
		return err
	}
	for _, server := range a.ev.RequiredSigners() {
		if !a.signed[server] {
			return dropped("%w: %s has not signed with a key that is known and was valid", event.ErrSignature, server)
		}
	}
	return nil
}

// findSigners finds out which of the servers that the checks ask for have
// signed the event.
func (a *inbound) findSigners(ctx context.Context) error {
	servers := a.ev.RequiredSigners()
	if user, ok := a.ev.ContentText("join_authorised_via_users_server"); ok && a.rules.Restricted {
		if userID, err := id.ParseUserID(user); err == nil {
			servers = append(servers, userID.Server())
		}
	}
	a.signed = make(map[id.ServerName]bool, len(servers))
	slices.Sort(servers)
	for _, server := range slices.Compact(servers) {
		ok, err := a.signedBy(ctx, server)
		if err != nil {
			return err
		}
		a.signed[server] = ok
	}
	return nil
}

// signedBy reports whether all signatures of a server that count hold, and at
// least one does. That of a policy server is for another check: nobody is asked for
// its key.
func (a *inbound) signedBy(ctx context.Context, server id.ServerName) (bool, error) {
	found := false
	for _, keyID := range a.ev.SignedBy(server) {
		if keyID == policyKey {
			continue
		}
		key, err := a.r.verifyKey(ctx, server, keyID, a.ev.OriginServerTS)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("key %s of %s: %w", keyID, server, err)
		}
		if !a.counts(key) {
			continue
		}
		if a.ev.VerifySignature(server, keyID, key.Key) != nil {
			return false, nil
		}
		found = true
	}
	return found, nil
}

// longestValidity is how far into the future a key may count, in milliseconds,
// whatever its server says.
const longestValidity = 7 * 24 * 60 * 60 * 1000

// counts tells whether a key was valid when the event was sent.
//
// Spec: server-server "Validating hashes and signatures on received events", keys
// that "expired prior to the event"; room version 5, "Signing key validity period".
func (a *inbound) counts(key VerifyKey) bool {
	if key.ExpiredTS != 0 {
		return a.ev.OriginServerTS <= key.ExpiredTS
	}
	until := min(key.ValidUntilTS, a.r.env.NowTS()+longestValidity)
	return !a.rules.KeyValidityEnforced || a.ev.OriginServerTS <= until
}

func (r *Rooms) verifyKey(ctx context.Context, server id.ServerName, keyID id.KeyID, ts int64) (VerifyKey, error) {
	if server == r.name && keyID == r.signer.KeyID {
		return VerifyKey{Key: r.signer.Key.Public().(ed25519.PublicKey), ValidUntilTS: ts}, nil
	}
	if r.keys == nil {
		return VerifyKey{}, storage.ErrNotFound
	}
	return r.keys.VerifyKey(ctx, server, keyID, ts)
}
