// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/accounts"
)

// FuzzLocalUser checks that a name in a login is either refused or a user of
// this server, and the same user in upper and lower case.
func FuzzLocalUser(f *testing.F) {
	for _, s := range []string{"alice", "ALICE", "@alice:hs1", "@Alice:hs1", "@alice:HS1", "@alice:hs2", "alice:hs1", "@", "", ":", "@:hs1", "\u212a", "a\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		user, err := accounts.LocalUser(name, "hs1")
		if err != nil {
			require.Empty(t, user)
			return
		}
		require.Equal(t, id.ServerName("hs1"), user.Server())
		require.Equal(t, strings.IndexFunc(string(user), func(c rune) bool { return c >= 'A' && c <= 'Z' }), -1)
		_, err = id.ParseUserID(string(user))
		require.NoError(t, err)
		again, err := accounts.LocalUser(string(user), "hs1")
		require.NoError(t, err)
		require.Equal(t, user, again)
		if !strings.HasPrefix(name, "@") {
			require.Equal(t, "@"+strings.Map(small, name)+":hs1", string(user))
		}
	})
}

func small(c rune) rune {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

var reHash = regexp.MustCompile(`^\$argon2id\$v=19\$m=[0-9]+,t=[1-9][0-9]*,p=[1-9][0-9]*\$[A-Za-z0-9+/]*\$[A-Za-z0-9+/]{22,}$`)

// FuzzPasswordHash checks that a hash that is accepted is written back
// unchanged.
func FuzzPasswordHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAECAwQFBgcICQoLDA0ODw")
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$$AAECAwQFBgcICQoLDA0ODw")
	f.Add("$argon2id$v=19$m=8,t=0,p=0$$")
	f.Add("$2a$10$N9qo8uLOickgx2ZMRZoMye")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := accounts.ParsePasswordHash(s)
		if err != nil {
			return
		}
		require.Regexp(t, reHash, s)
		require.Equal(t, s, p.String())
		require.LessOrEqual(t, p.MemoryKiB, uint32(4<<20))
	})
}
