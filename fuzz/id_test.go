// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
)

// The grammars of the specification as regular expressions. Rules that an
// expression cannot check are in the functions below.
var (
	reServer   = regexp.MustCompile(`^([0-9A-Za-z.-]+|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?$`)
	reIPv4Like = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$`)
	reIPv4     = regexp.MustCompile(`^((25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])(\.|$)){4}$`)
	reLocal    = regexp.MustCompile(`^[^:\x00]*$`)
	reBase64   = regexp.MustCompile(`^[0-9A-Za-z_+/-]+$`)
	reKey      = regexp.MustCompile(`^[0-9A-Za-z._-]+:[^\x00]+$`)
	reMedia    = regexp.MustCompile(`^[0-9A-Za-z_-]{1,255}$`)
)

func isServer(s string) bool {
	m := reServer.FindStringSubmatch(s)
	if m == nil || len(m[1]) > 255 {
		return false
	}
	if port, err := strconv.Atoi(strings.TrimPrefix(m[2], ":")); m[2] != "" && (err != nil || port > 65535) {
		return false
	}
	if strings.HasPrefix(m[1], "[") {
		return net.ParseIP(m[1][1:len(m[1])-1]) != nil && strings.Contains(m[1], ":")
	}
	for _, label := range strings.Split(m[1], ".") {
		if label == "" {
			return false
		}
	}
	return !reIPv4Like.MatchString(m[1]) || reIPv4.MatchString(m[1])
}

// withDomain checks for a sigil, a localpart and a server name.
func withDomain(s, sigil string) bool {
	local, server, ok := strings.Cut(strings.TrimPrefix(s, sigil), ":")
	return ok && strings.HasPrefix(s, sigil) && reLocal.MatchString(local) && isServer(server)
}

func isText(s string) bool { return s != "" && len(s) <= 255 && utf8.ValidString(s) }

// same compares one parser with its reference.
func same[T ~string](t *testing.T, s string, parse func(string) (T, error), want bool) {
	t.Helper()
	got, err := parse(s)
	require.Equal(t, want, err == nil, "%q: %v", s, err)
	if err == nil {
		require.Equal(t, s, string(got))
	}
}

// FuzzIDWithDomain parses user IDs and room aliases.
func FuzzIDWithDomain(f *testing.F) {
	for _, s := range []string{"@alice:example.org", "#room:[::1]:80", "@:x", "@é😀:1.2.3.4", "@a:256.1.1.1", "@a:b:c", "#a\x00:x", "@\xff:x", "@a:x.", "@a:x:65536"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		same(t, s, id.ParseUserID, isText(s) && withDomain(s, "@"))
		same(t, s, id.ParseRoomAlias, isText(s) && withDomain(s, "#"))
		if u, err := id.ParseUserID(s); err == nil {
			require.Equal(t, s, "@"+u.Localpart()+":"+string(u.Server()))
			made, err := id.NewUserID(u.Localpart(), u.Server())
			require.True(t, err != nil || made == u && u.Compliant(), s)
		}
	})
}

// FuzzIDWithHash parses room IDs and event IDs, which may have no server name.
func FuzzIDWithHash(f *testing.F) {
	for _, s := range []string{"!a:x", "$a:x", "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", "$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk", "!a+b", "$", "!:", "$a=", "$é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		hash := reBase64.MatchString(strings.TrimLeft(s, "!$")) && strings.LastIndexAny(s, "!$") == 0
		room := strings.HasPrefix(s, "!") && hash && !strings.ContainsAny(s, "+/")
		same(t, s, id.ParseRoomID, isText(s) && (room || withDomain(s, "!")))
		same(t, s, id.ParseEventID, isText(s) && (strings.HasPrefix(s, "$") && hash || withDomain(s, "$")))
		if r, err := id.ParseRoomID(s); err == nil {
			server, ok := r.Server()
			require.Equal(t, strings.Contains(s, ":"), ok)
			require.Equal(t, ok, isServer(string(server)))
		}
	})
}

// FuzzServerName parses server names.
func FuzzServerName(f *testing.F) {
	for _, s := range []string{"matrix.org:8448", "[1234:5678::abcd]:5678", "1.2.3.4", "1.2.3.400", "[::ffff:1.2.3.4]", "a..b", "x:", "[::1", "::1", "[[::1]]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		same(t, s, id.ParseServerName, isServer(s))
		n := id.ServerName(s)
		host, port := n.Host(), n.Port() // these accept any value and must not panic
		if isServer(s) && n.IsIP() {
			require.NotNil(t, net.ParseIP(host))
		}
		require.LessOrEqual(t, len(host)+len(port), len(s))
	})
}

// FuzzNames parses identifiers without sigil and server name: of devices, keys
// and media.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"GHTYAJCE", "ed25519:abc", "mxc://matrix.org/abc", "mxc://x/../y", "ed25519:", ":x", "mxc://[::1]:1/a", "m.room.member", "a~"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		plain := isText(s) && !strings.Contains(s, "\x00")
		same(t, s, id.ParseDeviceID, plain)
		same(t, s, id.ParseKeyID, plain && reKey.MatchString(s))
		server, media, _ := strings.Cut(strings.TrimPrefix(s, "mxc://"), "/")
		same(t, s, id.ParseMXC, strings.HasPrefix(s, "mxc://") && isServer(server) && reMedia.MatchString(media))
		if m, err := id.ParseMXC(s); err == nil {
			require.Equal(t, s, "mxc://"+string(m.Server())+"/"+m.MediaID())
		}
		require.False(t, id.IsNamespaced(s) && !id.IsOpaque(s), "the namespaced grammar is the narrower one")
	})
}
