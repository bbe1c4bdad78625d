// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/keybackup"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// FuzzKeyBackup uploads any bytes as keys of a backup, by room and all at once. What
// is taken comes back, uploading it again changes nothing, and the count is that of
// the keys.
func FuzzKeyBackup(f *testing.F) {
	const one = `{"first_message_index":1,"forwarded_count":0,"is_verified":true,"session_data":{"a":[9007199254740993,"\u0000"]}}`
	f.Add([]byte(`{"rooms":{"!r:x":{"sessions":{"s":`+one+`,"":`+one+`}}}}`), []byte(`{"sessions":{"s":`+one+`,"t":`+one+`}}`), []byte(one))
	f.Add([]byte(`{"rooms":{"!r:x":{"sessions":{"s":null}},"x":{}}}`), []byte(`{"sessions":{"s":{"session_data":"x"}}}`), []byte(`{"is_verified":0}`))
	f.Add([]byte(`{"rooms":{}}`), []byte(`{"sessions":{}}`), []byte(`{"first_message_index":-1,"forwarded_count":1e2,"is_verified":false,"session_data":{}}`))
	f.Fuzz(func(t *testing.T, all, room, key []byte) {
		db := storagetest.Open(t)
		router := slicetest.New(t, db).Router(t, api.Config{Auth: slicetest.Tokens()})
		clientapi.MountKeyBackup(router, keybackup.New(keybackup.Deps{DB: db, OpaqueAuthData: func(context.Context) bool { return false }}))
		version := slicetest.OK(t, router, http.MethodPost, slicetest.Path("v3/room_keys/version"), "alice",
			`{"algorithm":"m.megolm_backup.v1.curve25519-aes-sha2","auth_data":{}}`).At("version")
		keys := slicetest.Path("v3/room_keys/keys")
		for path, body := range map[string][]byte{"": all, "/!r:x": room, "/!r:x/s": key} {
			path = keys + path + "?version=" + version
			a := slicetest.Do(t, router, http.MethodPut, path, "alice", string(body))
			require.Less(t, a.Status, 500, a)
			if a.Status != 200 {
				continue
			}
			again := slicetest.OK(t, router, http.MethodPut, path, "alice", string(body))
			require.Equal(t, a.Body, again.Body, "nothing is better than itself")
			slicetest.OK(t, router, http.MethodGet, path, "alice", nil)
			count := slicetest.OK(t, router, http.MethodGet, slicetest.Path("v3/room_keys/version"), "alice", nil).At("count")
			require.Equal(t, a.At("count"), count)
		}
		before := slicetest.OK(t, router, http.MethodGet, keys+"?version="+version, "alice", nil)
		slicetest.OK(t, router, http.MethodPut, keys+"?version="+version, "alice", before.Body)
		require.Equal(t, before.Body, slicetest.OK(t, router, http.MethodGet, keys+"?version="+version, "alice", nil).Body)
		require.Equal(t, "0", slicetest.OK(t, router, http.MethodDelete, keys+"?version="+version, "alice", nil).At("count"))
	})
}
