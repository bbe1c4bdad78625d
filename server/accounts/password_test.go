// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/accounts"
	"touchstone.example/server/config"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

const someHash = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAECAwQFBgcICQoLDA0ODw"

func TestPasswordHashes(t *testing.T) {
	p, err := accounts.ParsePasswordHash(someHash)
	require.NoError(t, err)
	require.Equal(t, "somesalt", string(p.Salt))
	require.Equal(t, someHash, p.String())
	for name, s := range map[string]string{
		"nothing":                   "",
		"another algorithm":         strings.Replace(someHash, "argon2id", "argon2i", 1),
		"another version":           strings.Replace(someHash, "v=19", "v=16", 1),
		"no version":                strings.Replace(someHash, "$v=19", "", 1),
		"a part too many":           someHash + "$",
		"a part too few":            someHash[:strings.LastIndex(someHash, "$")],
		"parameters in another way": strings.Replace(someHash, "m=8,t=1,p=1", "m=8,t=1,p=1,x=2", 1),
		"parameters with a sign":    strings.Replace(someHash, "m=8", "m=+8", 1),
		"no passes":                 strings.Replace(someHash, "t=1", "t=0", 1),
		"no threads":                strings.Replace(someHash, "p=1", "p=0", 1),
		"too many threads":          strings.Replace(someHash, "p=1", "p=256", 1),
		"more memory than sense":    strings.Replace(someHash, "m=8", "m=4194305", 1),
		"padded":                    someHash + "==",
		"no base64":                 strings.Replace(someHash, "c29tZXNhbHQ", "c29tZXNhbHQ*", 1),
		"a short key":               someHash[:len(someHash)-6],
		"bcrypt":                    "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
	} {
		_, err := accounts.ParsePasswordHash(s)
		require.Error(t, err, name)
	}
}

// TestPasswordsAreStoredAsHashes, each with a salt of its own and the cost of
// its time.
func TestPasswordsAreStoredAsHashes(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	h.register("alice")
	h.register("bob")
	dear := newFixture(t, h.DB, func(d *accounts.Deps) { d.Passwords = config.Passwords{MemoryKiB: 64, Passes: 2, Threads: 2} })
	dear.register("carol")
	stored := func(name string) *accounts.PasswordHash {
		var hash string
		require.NoError(t, h.DB.Read(t.Context(), func(tx *storage.Reader) error {
			u, err := tx.User(t.Context(), slicetest.User(name))
			hash = u.PasswordHash
			return err
		}))
		require.NotContains(t, hash, password)
		p, err := accounts.ParsePasswordHash(hash)
		require.NoError(t, err)
		return p
	}
	require.NotEqual(t, stored("alice").Salt, stored("bob").Salt)
	require.NotEqual(t, stored("alice").Key, stored("bob").Key)
	carol := stored("carol")
	require.Equal(t, []uint32{64, 2, 2}, []uint32{carol.MemoryKiB, carol.Passes, uint32(carol.Threads)})
	for _, name := range []string{"alice", "carol"} {
		h.ok("POST", pathLogin, "", loginBody(name)) // whatever the cost is now
		dear.ok("POST", pathLogin, "", loginBody(name))
	}
}

// TestDamagedHash: a row that is not ours is our fault, not the client's.
func TestDamagedHash(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	h.register("alice")
	h.write(func(tx *storage.Writer) error { return tx.PutPassword(t.Context(), "@alice:hs1", "plain") })
	a := h.do("POST", pathLogin, "", loginBody("alice"))
	require.Equal(t, 500, a.Status)
	require.Equal(t, "M_UNKNOWN", a.At("errcode"))
	require.NotContains(t, a.Body, "argon")
}
