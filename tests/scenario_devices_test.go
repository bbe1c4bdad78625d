// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// sceneKeys publishes, claims and signs keys, and sends to a device.
func sceneKeys(t *testing.T, a, b *harness.User) {
	alice, bob := newKeyOwner(a), newKeyOwner(b)
	aliceSince, bobSince := alice.Since(t), bob.Since(t)
	alice.upload(t, "A", "B")
	bob.upload(t, "C")
	changes := alice.Get(t, harness.Path("v3/keys/changes")+harness.Query("from", aliceSince, "to", alice.Since(t)))
	require.Contains(t, changes.At("changed").Strings(), bob.ID)
	claimed := alice.Post(t, harness.Path("v3/keys/claim"), harness.O{
		"one_time_keys": harness.O{bob.ID: harness.O{bob.Device: "signed_curve25519"}}})
	require.True(t, claimed.At("one_time_keys", bob.ID, bob.Device, "signed_curve25519:C").Exists(), claimed)
	alice.Put(t, harness.Path("v3/sendToDevice/org.example.hello/once"), harness.O{
		"messages": harness.O{bob.ID: harness.O{bob.Device: harness.O{"hello": "bob"}}}})
	got := bob.Sync(t, "since", bobSince)
	require.Equal(t, "bob", got.At("to_device", "events", 0, "content", "hello").String(), got)
	alice.crossSign(t)
	keys := bob.Post(t, harness.Path("v3/keys/query"), harness.O{"device_keys": harness.O{alice.ID: []string{}}})
	self := publicKey(signingKey(alice.ID + "self_signing"))
	require.True(t, keys.At("device_keys", alice.ID, alice.Device, "signatures", alice.ID, "ed25519:"+self).Exists(), keys)
}

// sceneKeyBackup keeps the keys of a room, and removes them again.
func sceneKeyBackup(t *testing.T, alice *harness.User, room string) {
	versions := harness.Path("v3/room_keys/version")
	about := harness.O{"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": harness.O{"public_key": publicKey(signingKey("backup"))}}
	version := alice.Post(t, versions, about).At("version").String()
	this := harness.Path("v3/room_keys/version/{}", version)
	about["version"], about["auth_data"] = version, harness.O{"public_key": publicKey(signingKey("backup")), "n": 2}
	alice.Put(t, this, about)
	require.Equal(t, int64(2), alice.Get(t, versions).At("auth_data", "n").Int())

	key := harness.O{"first_message_index": 1, "forwarded_count": 0, "is_verified": true, "session_data": harness.O{"ciphertext": "abc"}}
	ofRoom := harness.O{"sessions": harness.O{"one": key, "two": key}}
	which := harness.Query("version", version)
	for _, c := range []struct {
		path  string
		body  harness.O
		count int64
	}{
		{harness.Path("v3/room_keys/keys/{}/one", room), key, 1},
		{harness.Path("v3/room_keys/keys/{}", room), ofRoom, 2},
		{harness.Path("v3/room_keys/keys"), harness.O{"rooms": harness.O{room: ofRoom, "!other:hs1": ofRoom}}, 4},
	} {
		require.Equal(t, c.count, alice.Put(t, c.path+which, c.body).At("count").Int())
		alice.Get(t, c.path+which)
	}
	require.Equal(t, int64(4), alice.Get(t, this).At("count").Int())
	for _, c := range []struct {
		path string
		left int64
	}{
		{harness.Path("v3/room_keys/keys/{}/one", room), 3},
		{harness.Path("v3/room_keys/keys/{}", room), 2},
		{harness.Path("v3/room_keys/keys"), 0},
	} {
		require.Equal(t, c.left, alice.Delete(t, c.path+which, nil).At("count").Int())
	}
	alice.Delete(t, this, nil)
	require.Equal(t, http.StatusNotFound, alice.Do(t, http.MethodGet, this, nil).Status)
}
