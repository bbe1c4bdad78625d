// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// A keyOwner is a device with a signing key.
type keyOwner struct {
	*harness.User
	key ed25519.PrivateKey
}

func newKeyOwner(u *harness.User) *keyOwner { return &keyOwner{u, signingKey(u.ID + u.Device)} }

// signingKey is the key of a name.
func signingKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicKey(key ed25519.PrivateKey) string {
	return base64.RawStdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
}

// signed adds a signature. The JSON of a map of plain values is canonical.
func signed(t *testing.T, obj harness.O, user, keyID string, key ed25519.PrivateKey) harness.O {
	text, err := json.Marshal(obj)
	require.NoError(t, err)
	out := harness.O{"signatures": harness.O{user: harness.O{
		"ed25519:" + keyID: base64.RawStdEncoding.EncodeToString(ed25519.Sign(key, text)),
	}}}
	for name, value := range obj {
		out[name] = value
	}
	return out
}

func (k *keyOwner) identity() harness.O {
	return harness.O{
		"user_id": k.ID, "device_id": k.Device, "algorithms": []string{"m.megolm.v1.aes-sha2", "m.olm.v1.curve25519-aes-sha2"},
		"keys": harness.O{"ed25519:" + k.Device: publicKey(k.key), "curve25519:" + k.Device: publicKey(signingKey(k.Device))},
	}
}

// upload publishes the device's keys with some one-time keys and a fallback key.
func (k *keyOwner) upload(t *testing.T, oneTime ...string) {
	t.Helper()
	key := func(name string) harness.O {
		return signed(t, harness.O{"key": publicKey(signingKey(name))}, k.ID, k.Device, k.key)
	}
	keys := harness.O{}
	for _, name := range oneTime {
		keys["signed_curve25519:"+name] = key(name)
	}
	answer := k.Post(t, harness.Path("v3/keys/upload"), harness.O{
		"device_keys": signed(t, k.identity(), k.ID, k.Device, k.key), "one_time_keys": keys,
		"fallback_keys": harness.O{"signed_curve25519:fallback": key("fallback")},
	})
	require.Equal(t, int64(len(oneTime)), answer.At("one_time_key_counts", "signed_curve25519").Int())
}

func (k *keyOwner) crossSigning(usage string) harness.O {
	name := publicKey(signingKey(k.ID + usage))
	return harness.O{"user_id": k.ID, "usage": []string{usage}, "keys": harness.O{"ed25519:" + name: name}}
}

// crossSign publishes the user's cross-signing keys and signs the device with them.
func (k *keyOwner) crossSign(t *testing.T) {
	t.Helper()
	master, self := signingKey(k.ID+"master"), signingKey(k.ID+"self_signing")
	byMaster := func(usage string) harness.O {
		return signed(t, k.crossSigning(usage), k.ID, publicKey(master), master)
	}
	k.Post(t, harness.Path("v3/keys/device_signing/upload"), harness.O{
		"master_key": k.crossSigning("master"), "self_signing_key": byMaster("self_signing"), "user_signing_key": byMaster("user_signing")})
	answer := k.Post(t, harness.Path("v3/keys/signatures/upload"), harness.O{k.ID: harness.O{
		k.Device: signed(t, k.identity(), k.ID, publicKey(self), self)}})
	require.Empty(t, answer.At("failures", k.ID), answer)
}

// TestKeyExchange is what two people's clients do before they can talk in secret:
// each learns of the other's device, asks for its keys, claims one, and sends the
// key of the room to it.
func TestKeyExchange(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		users := s.Users(t, "alice", "bob")
		alice, bob := newKeyOwner(users[0]), newKeyOwner(users[1])
		room := alice.CreateRoom(t, harness.O{"preset": "public_chat", "initial_state": []harness.O{
			{"type": "m.room.encryption", "state_key": "", "content": harness.O{"algorithm": "m.megolm.v1.aes-sha2"}}}})
		since := alice.Since(t)
		bob.upload(t, "A")
		bob.Join(t, room)
		bobSince := bob.Since(t)
		alice.upload(t, "B")
		changed := func(who *keyOwner, since, user string) harness.Value {
			return who.SyncUntil(t, since, func(v harness.Value) bool {
				for _, u := range v.At("device_lists", "changed").List() {
					if u.String() == user {
						return true
					}
				}
				return false
			})
		}
		require.Equal(t, int64(1), changed(alice, since, bob.ID).At("device_one_time_keys_count", "signed_curve25519").Int())
		changed(bob, bobSince, alice.ID)

		keys := alice.Post(t, harness.Path("v3/keys/query"), harness.O{"device_keys": harness.O{bob.ID: []string{}}})
		require.Equal(t, publicKey(bob.key), keys.At("device_keys", bob.ID, bob.Device, "keys", "ed25519:"+bob.Device).String())
		for _, want := range []string{"A", "fallback"} {
			claimed := alice.Post(t, harness.Path("v3/keys/claim"), harness.O{
				"one_time_keys": harness.O{bob.ID: harness.O{bob.Device: "signed_curve25519"}}})
			require.True(t, claimed.At("one_time_keys", bob.ID, bob.Device, "signed_curve25519:"+want).Exists(), claimed)
		}
		alice.Put(t, harness.Path("v3/sendToDevice/m.room.encrypted/{}", harness.Txn()), harness.O{
			"messages": harness.O{bob.ID: harness.O{bob.Device: harness.O{
				"algorithm": "m.olm.v1.curve25519-aes-sha2", "sender_key": "a key",
				"ciphertext": harness.O{"a key": harness.O{"type": 0, "body": "the room's key"}}}}}})
		got := bob.SyncUntil(t, bobSince, func(v harness.Value) bool { return len(v.At("to_device", "events").List()) > 0 })
		require.Equal(t, "the room's key", got.At("to_device", "events", 0, "content", "ciphertext", "a key", "body").String())
		require.Equal(t, alice.ID, got.At("to_device", "events", 0, "sender").String())
		require.Empty(t, got.At("device_unused_fallback_key_types").List())
		again := bob.Sync(t, "since", got.At("next_batch").String())
		require.Empty(t, again.At("to_device", "events").List())

		alice.crossSign(t)
		self := signingKey(alice.ID + "self_signing")
		keys = bob.Post(t, harness.Path("v3/keys/query"), harness.O{"device_keys": harness.O{alice.ID: []string{}}})
		require.True(t, keys.At("device_keys", alice.ID, alice.Device, "signatures", alice.ID, "ed25519:"+publicKey(self)).Exists(), keys)
		require.False(t, keys.At("user_signing_keys", alice.ID).Exists())
	})
}
