// SPDX-License-Identifier: Apache-2.0

package keybackup_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/keybackup"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

const algorithm = "m.megolm_backup.v1.curve25519-aes-sha2"

type backups struct {
	t      testing.TB
	router *api.Router
}

func newBackups(t testing.TB, db *storage.DB, opaque bool) *backups {
	router := slicetest.New(t, db).Router(t, api.Config{Auth: slicetest.Tokens()})
	clientapi.MountKeyBackup(router, keybackup.New(keybackup.Deps{DB: db, OpaqueAuthData: func(context.Context) bool { return opaque }}))
	return &backups{t, router}
}

func each(t *testing.T, fn func(t *testing.T, b *backups)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) { fn(t, newBackups(t, db, false)) })
}

func (b *backups) ok(method, path, token string, body any) slicetest.Answer {
	b.t.Helper()
	return slicetest.OK(b.t, b.router, method, path, token, body)
}

func (b *backups) create(token string) (version string) {
	b.t.Helper()
	return b.ok("POST", versionPath(""), token, slicetest.O{"algorithm": algorithm, "auth_data": slicetest.O{"public_key": "k"}}).At("version")
}

func versionPath(version string) string {
	if version == "" {
		return slicetest.Path("v3/room_keys/version")
	}
	return slicetest.Path("v3/room_keys/version/{}", version)
}

// keysPath is the path of a version's keys, of those of a room, or of one.
func keysPath(version string, at ...any) string {
	return slicetest.Path("v3/room_keys/keys"+strings.Repeat("/{}", len(at)), at...) + "?" + slicetest.Query("version", version)[1:]
}

func key(first, forwarded int, verified bool, data string) slicetest.O {
	return slicetest.O{"first_message_index": first, "forwarded_count": forwarded, "is_verified": verified, "session_data": slicetest.O{"data": data}}
}

const room, other = "!room:hs1", "!other"

// TestVersions: backups are made, described, changed and deleted; the newest is
// the current one.
func TestVersions(t *testing.T) {
	each(t, func(t *testing.T, b *backups) {
		first := b.create("alice")
		second := b.ok("POST", versionPath(""), "alice", `{"algorithm":"`+algorithm+`","auth_data":{"n":9007199254740993, "x":[1.50]}}`).At("version")
		require.NotEqual(t, first, second)
		now := b.ok("GET", versionPath(""), "alice", nil)
		require.Equal(t, second, now.At("version"))
		require.Equal(t, algorithm, now.At("algorithm"))
		require.Equal(t, `{"n":9007199254740993, "x":[1.50]}`, now.At("auth_data"), "as it was sent")
		require.Equal(t, "0", now.At("count"))
		require.Equal(t, now.Body, b.ok("GET", versionPath(second), "alice", nil).Body)
		require.Equal(t, first, b.ok("GET", versionPath(first), "alice", nil).At("version"))

		b.ok("PUT", versionPath(first), "alice", slicetest.O{"algorithm": algorithm, "auth_data": slicetest.O{"new": "k"}, "version": first})
		require.Equal(t, `{"new":"k"}`, b.ok("GET", versionPath(first), "alice", nil).At("auth_data"))
		require.Equal(t, `{"n":9007199254740993, "x":[1.50]}`, b.ok("GET", versionPath(second), "alice", nil).At("auth_data"))

		b.ok("PUT", keysPath(second, room, "s"), "alice", key(0, 0, false, "x"))
		require.Equal(t, `{}`, b.ok("DELETE", versionPath(second), "alice", nil).Body)
		require.Equal(t, `{}`, b.ok("DELETE", versionPath(second), "alice", nil).Body, "once more")
		require.Equal(t, first, b.ok("GET", versionPath(""), "alice", nil).At("version"), "the one before it is current")
		third := b.create("alice")
		require.NotContains(t, []string{first, second}, third, "no version is given again")
		require.Equal(t, `{"rooms":{}}`, b.ok("GET", keysPath(third), "alice", nil).Body)
		for _, v := range []string{first, third} {
			b.ok("DELETE", versionPath(v), "alice", nil)
		}
		require.Equal(t, 404, slicetest.Do(t, b.router, "GET", versionPath(""), "alice", nil).Status)
	})
}

// TestKeys: keys are stored and read one by one, by room and all at once.
func TestKeys(t *testing.T) {
	each(t, func(t *testing.T, b *backups) {
		v := b.create("alice")
		require.Equal(t, `{"rooms":{}}`, b.ok("GET", keysPath(v), "alice", nil).Body)
		require.Equal(t, `{"sessions":{}}`, b.ok("GET", keysPath(v, room), "alice", nil).Body)
		odd := "a/b+c \x00é"
		a := b.ok("PUT", keysPath(v, room, odd), "alice", key(1, 2, true, "one"))
		require.Equal(t, "1", a.At("count"))
		require.JSONEq(t, `{"first_message_index":1,"forwarded_count":2,"is_verified":true,"session_data":{"data":"one"}}`,
			b.ok("GET", keysPath(v, room, odd), "alice", nil).Body)
		a = b.ok("PUT", keysPath(v, room), "alice", slicetest.O{"sessions": slicetest.O{"s2": key(0, 0, false, "two"), "s3": key(0, 0, false, "three")}})
		require.Equal(t, "3", a.At("count"))
		a = b.ok("PUT", keysPath(v), "alice", slicetest.O{"rooms": slicetest.O{
			room:  slicetest.O{"sessions": slicetest.O{"s2": key(5, 0, false, "worse"), "s4": key(0, 0, false, "four")}},
			other: slicetest.O{"sessions": slicetest.O{"s2": key(0, 0, false, "of another room")}},
		}})
		require.Equal(t, "5", a.At("count"))
		require.Equal(t, a.At("etag"), b.ok("GET", versionPath(""), "alice", nil).At("etag"))
		require.Equal(t, "5", b.ok("GET", versionPath(v), "alice", nil).At("count"))
		all := b.ok("GET", keysPath(v), "alice", nil)
		require.Equal(t, "two", all.At("rooms", room, "sessions", "s2", "session_data", "data"))
		require.Equal(t, "of another room", all.At("rooms", other, "sessions", "s2", "session_data", "data"))
		require.Equal(t, all.At("rooms", room), b.ok("GET", keysPath(v, room), "alice", nil).Body)

		require.Equal(t, "4", b.ok("DELETE", keysPath(v, room, "s2"), "alice", nil).At("count"))
		require.Equal(t, "1", b.ok("DELETE", keysPath(v, room), "alice", nil).At("count"))
		require.Equal(t, "of another room", b.ok("GET", keysPath(v, other, "s2"), "alice", nil).At("session_data", "data"))
		require.Equal(t, "0", b.ok("DELETE", keysPath(v), "alice", nil).At("count"))
		require.Equal(t, `{"rooms":{}}`, b.ok("GET", keysPath(v), "alice", nil).Body)
	})
}

// TestTheEtagChangesWithTheKeys, and with nothing else.
func TestTheEtagChangesWithTheKeys(t *testing.T) {
	each(t, func(t *testing.T, b *backups) {
		v := b.create("alice")
		seen := map[string]bool{}
		etag := b.ok("GET", versionPath(v), "alice", nil).At("etag")
		step := func(changes bool, what, method, path string, body any) {
			t.Helper()
			b.ok(method, path, "alice", body)
			now := b.ok("GET", versionPath(v), "alice", nil).At("etag")
			require.Equal(t, changes, now != etag, what)
			if changes {
				require.False(t, seen[now], "%s: an etag comes back", what)
			}
			seen[etag], etag = true, now
		}
		step(true, "a new key", "PUT", keysPath(v, room, "s"), key(5, 5, false, "a"))
		step(false, "the same key", "PUT", keysPath(v, room, "s"), key(5, 5, false, "a"))
		step(false, "a key that is no better", "PUT", keysPath(v, room, "s"), key(5, 5, false, "b"))
		step(false, "a worse key", "PUT", keysPath(v, room, "s"), key(6, 0, false, "b"))
		step(true, "a better key", "PUT", keysPath(v, room, "s"), key(4, 9, false, "b"))
		step(false, "no keys", "PUT", keysPath(v), slicetest.O{"rooms": slicetest.O{}})
		step(false, "no keys of a room", "PUT", keysPath(v, room), slicetest.O{"sessions": slicetest.O{}})
		step(false, "other auth_data", "PUT", versionPath(v), slicetest.O{"algorithm": algorithm, "auth_data": slicetest.O{}})
		step(false, "a key that is not there", "DELETE", keysPath(v, room, "t"), nil)
		step(false, "a room that is not there", "DELETE", keysPath(v, other), nil)
		step(true, "a key that is there", "DELETE", keysPath(v, room, "s"), nil)
		step(false, "all, which are none", "DELETE", keysPath(v), nil)
		step(true, "the first key once more", "PUT", keysPath(v, room, "s"), key(5, 5, false, "a"))
		step(true, "all, which is one", "DELETE", keysPath(v), nil)
	})
}

// TestWhichKeyIsKept: verified before unverified, then the lower first index,
// then the lower count of forwards.
//
// Spec: client-server "Server-side key backups".
func TestWhichKeyIsKept(t *testing.T) {
	each(t, func(t *testing.T, b *backups) {
		v := b.create("alice")
		n := 0
		for _, verified := range []bool{true, false} {
			for _, first := range []int{1, 2} {
				for _, forwarded := range []int{1, 2} {
					n++
					better := fmt.Sprint("better", n)
					path := func(s string) string { return keysPath(v, room, s) }
					rank := func(verified bool, first, forwarded int) int {
						r := first*10 + forwarded
						if !verified {
							r += 100
						}
						return r
					}
					for _, oldVerified := range []bool{true, false} {
						for _, oldFirst := range []int{1, 2} {
							for _, oldForwarded := range []int{1, 2} {
								s := fmt.Sprint(better, oldVerified, oldFirst, oldForwarded)
								b.ok("PUT", path(s), "alice", key(oldFirst, oldForwarded, oldVerified, "old"))
								b.ok("PUT", path(s), "alice", key(first, forwarded, verified, "new"))
								want := "old"
								if rank(verified, first, forwarded) < rank(oldVerified, oldFirst, oldForwarded) {
									want = "new"
								}
								require.Equal(t, want, b.ok("GET", path(s), "alice", nil).At("session_data", "data"), s)
							}
						}
					}
				}
			}
		}
	})
}

func TestRefused(t *testing.T) {
	each(t, func(t *testing.T, b *backups) {
		old, current := b.create("alice"), b.create("alice")
		gone := b.create("alice")
		b.ok("DELETE", versionPath(gone), "alice", nil)
		b.ok("PUT", keysPath(current, room, "s"), "alice", key(0, 0, false, "x"))
		one, sessions := key(0, 0, false, "x"), slicetest.O{"sessions": slicetest.O{}}
		rooms := slicetest.O{"rooms": slicetest.O{room: sessions}}
		rows := []slicetest.Row{
			{Name: "no backup at all", Method: "GET", Path: versionPath(""), Token: "bob", Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "keys of no backup at all", Method: "PUT", Path: keysPath("1"), Token: "bob", Body: rooms, Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "another's backup", Method: "GET", Path: versionPath(current), Token: "bob", Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "another's keys", Method: "GET", Path: keysPath(current), Token: "bob", Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "another's key to delete", Method: "DELETE", Path: keysPath(current, room, "s"), Token: "bob", Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "another's backup to delete", Method: "DELETE", Path: versionPath(current), Token: "bob", Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "a key that is not there", Method: "GET", Path: keysPath(current, room, "t"), Token: "alice", Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "keys without a version", Method: "GET", Path: slicetest.Path("v3/room_keys/keys"), Token: "alice", Status: 400, ErrCode: "M_MISSING_PARAM"},
			{Name: "another algorithm", Method: "PUT", Path: versionPath(current), Token: "alice", Body: slicetest.O{"algorithm": "other", "auth_data": slicetest.O{}}, Status: 400, ErrCode: "M_INVALID_PARAM"},
			{Name: "another version in the body", Method: "PUT", Path: versionPath(current), Token: "alice", Body: slicetest.O{"algorithm": algorithm, "auth_data": slicetest.O{}, "version": old}, Status: 400, ErrCode: "M_INVALID_PARAM"},
			{Name: "a string for auth_data", Method: "POST", Path: versionPath(""), Token: "alice", Body: slicetest.O{"algorithm": algorithm, "auth_data": "opaque"}, Status: 400, ErrCode: "M_BAD_JSON"},
			{Name: "a list for auth_data", Method: "POST", Path: versionPath(""), Token: "alice", Body: slicetest.O{"algorithm": algorithm, "auth_data": slicetest.L{}}, Status: 400, ErrCode: "M_BAD_JSON"},
			{Name: "large auth_data", Method: "POST", Path: versionPath(""), Token: "alice", Body: slicetest.O{"algorithm": algorithm, "auth_data": slicetest.O{"k": strings.Repeat("x", 65600)}}, Status: 413, ErrCode: "M_TOO_LARGE"},
			{Name: "large session data", Method: "PUT", Path: keysPath(current, room, "t"), Token: "alice", Body: key(0, 0, false, strings.Repeat("x", 65600)), Status: 413, ErrCode: "M_TOO_LARGE"},
			{Name: "a long session ID", Method: "PUT", Path: keysPath(current, room, strings.Repeat("s", 256)), Token: "alice", Body: one, Status: 400, ErrCode: "M_INVALID_PARAM"},
			{Name: "session data that is a string", Method: "PUT", Path: keysPath(current, room, "t"), Token: "alice", Body: slicetest.O{"first_message_index": 0, "forwarded_count": 0, "is_verified": false, "session_data": "x"}, Status: 400, ErrCode: "M_BAD_JSON"},
			{Name: "no session data", Method: "PUT", Path: keysPath(current, room, "t"), Token: "alice", Body: slicetest.O{"first_message_index": 0, "forwarded_count": 0, "is_verified": false}, Status: 400, ErrCode: "M_BAD_JSON"},
			{Name: "no token", Method: "GET", Path: keysPath(current), Status: 401, ErrCode: "M_MISSING_TOKEN"},
		}
		for _, version := range []string{gone, "99", "0", "-1", "01", "x", "9223372036854775808", ""} {
			for _, row := range []slicetest.Row{
				{Method: "GET", Path: keysPath(version)}, {Method: "GET", Path: keysPath(version, room)}, {Method: "GET", Path: keysPath(version, room, "s")},
				{Method: "DELETE", Path: keysPath(version)}, {Method: "DELETE", Path: keysPath(version, room)}, {Method: "DELETE", Path: keysPath(version, room, "s")},
			} {
				row.Name, row.Token, row.Status, row.ErrCode = "version "+version+": "+row.Method+" "+row.Path, "alice", 404, "M_NOT_FOUND"
				rows = append(rows, row)
			}
		}
		for _, version := range []string{gone, "99", "x"} {
			rows = append(rows,
				slicetest.Row{Name: "version " + version, Method: "GET", Path: versionPath(version), Token: "alice", Status: 404, ErrCode: "M_NOT_FOUND"},
				slicetest.Row{Name: "version to change " + version, Method: "PUT", Path: versionPath(version), Token: "alice", Body: slicetest.O{"algorithm": algorithm, "auth_data": slicetest.O{}}, Status: 404, ErrCode: "M_NOT_FOUND"},
			)
			if version != gone {
				rows = append(rows, slicetest.Row{Name: "version to delete " + version, Method: "DELETE", Path: versionPath(version), Token: "alice", Status: 404, ErrCode: "M_NOT_FOUND"})
			}
		}
		slicetest.Table(t, b.router, rows)
		for _, version := range []string{old, gone, "99", "x"} {
			for path, body := range map[string]slicetest.O{keysPath(version): rooms, keysPath(version, room): sessions, keysPath(version, room, "s"): one} {
				a := slicetest.Do(t, b.router, "PUT", path, "alice", body)
				require.Equal(t, 403, a.Status, a)
				require.Equal(t, "M_WRONG_ROOM_KEYS_VERSION", a.At("errcode"))
				require.Equal(t, current, a.At("current_version"))
			}
		}
		require.Equal(t, "1", b.ok("GET", versionPath(current), "alice", nil).At("count"))
	})
}

// TestOpaqueAuthData: where the rule is not enforced, a string is taken and comes
// back.
func TestOpaqueAuthData(t *testing.T) {
	b := newBackups(t, storagetest.Open(t), true)
	v := b.ok("POST", versionPath(""), "alice", slicetest.O{"algorithm": algorithm, "auth_data": "an opaque string"}).At("version")
	require.Equal(t, "an opaque string", b.ok("GET", versionPath(""), "alice", nil).At("auth_data"))
	b.ok("PUT", versionPath(v), "alice", slicetest.O{"algorithm": algorithm, "auth_data": "another"})
	require.Equal(t, "another", b.ok("GET", versionPath(v), "alice", nil).At("auth_data"))
}

// TestUploadsAtOnce: of what several devices upload at the same time the best
// stays, every key is counted once, and each upload that changed something has
// an etag of its own.
func TestUploadsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b *backups) {
		v := b.create("alice")
		const devices, sessions = 8, 12
		var mu sync.Mutex
		etags := map[string]int{}
		var uploading sync.WaitGroup
		for d := range devices {
			uploading.Go(func() {
				all := slicetest.O{}
				for s := range sessions {
					all[fmt.Sprint("s", s)] = key((d+s)%devices, 0, false, fmt.Sprint((d+s)%devices))
				}
				all[fmt.Sprint("of device ", d)] = key(0, 0, false, "own")
				a := slicetest.OK(t, b.router, "PUT", keysPath(v, room), fmt.Sprint("alice/", d), slicetest.O{"sessions": all})
				mu.Lock()
				etags[a.At("etag")]++
				mu.Unlock()
			})
		}
		uploading.Wait()
		require.Len(t, etags, devices, "each added a key")
		now := b.ok("GET", versionPath(v), "alice", nil)
		require.Equal(t, fmt.Sprint(sessions+devices), now.At("count"))
		require.Equal(t, 1, etags[now.At("etag")])
		for s := range sessions {
			require.Equal(t, "0", b.ok("GET", keysPath(v, room, fmt.Sprint("s", s)), "alice", nil).At("session_data", "data"))
		}
	})
}

// TestVersionsAtOnce are all made, each with a number of its own.
func TestVersionsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b *backups) {
		var mu sync.Mutex
		made := map[string]bool{}
		var making sync.WaitGroup
		for range 8 {
			making.Go(func() {
				v := b.create("alice")
				mu.Lock()
				made[v] = true
				mu.Unlock()
			})
		}
		making.Wait()
		require.Len(t, made, 8)
	})
}
