// SPDX-License-Identifier: Apache-2.0

package id

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
)

// cases maps strings to the rule that they break; an empty rule is none.
type cases map[string]Rule

func check[T ~string](t *testing.T, what string, parse func(string) (T, error), cs cases) {
	t.Helper()
	for in, rule := range cs {
		got, err := parse(in)
		if rule == "" {
			require.NoError(t, err, "%.80q", in)
			require.Equal(t, in, string(got))
		} else {
			require.ErrorIs(t, err, &Error{what, rule}, "%.80q", in)
			require.Empty(t, got)
			require.NotContains(t, err.Error(), strings.Repeat("a", 20), "the error does not repeat the string")
		}
		// The JSON form reads the same.
		if !utf8.ValidString(in) {
			require.NotEmpty(t, rule, "what is not UTF-8 is no identifier")
			continue
		}
		raw, err := json.Marshal(in)
		require.NoError(t, err)
		var v, fresh T
		err = json.Unmarshal(raw, &v)
		require.Equal(t, rule == "", err == nil, "%.80q: %v", in, err)
		if rule != "" {
			require.ErrorIs(t, err, &Error{what, rule})
			require.Equal(t, fresh, v, "nothing is read from what is refused")
		}
	}
	for _, raw := range []string{`1`, `null`, `true`, `{}`, `["@a:x"]`} {
		var v T
		require.ErrorIs(t, json.Unmarshal([]byte(raw), &v), &Error{what, RuleString}, raw)
	}
	var v T
	require.Error(t, json.Unmarshal([]byte(`"`), &v))
}

func a(n int) string { return strings.Repeat("a", n) }

func TestUserIDs(t *testing.T) {
	check(t, "user ID", ParseUserID, cases{
		"@alice:example.org":           "",
		"@a.b_c=d-e/f+g:x":             "",
		"@UPPER:Example.ORG":           "", // historical; case is kept
		"@a b\t\x01:x":                 "", // historical
		"@é😀:x":                        "", // historical
		"@:x":                          "", // historical: an empty localpart
		"@@!#$:x":                      "",
		"@a:[::1]:8448":                "",
		"@a:1.2.3.4:80":                "",
		"@" + a(252) + ":x":            "", // 255 bytes
		"@" + a(253) + ":x":            RuleLength,
		"@" + a(251) + "é:x":           RuleLength, // 256 bytes, 255 code points
		"":                             RuleEmpty,
		"@":                            RuleServer,
		"@alice":                       RuleServer,
		"@alice:":                      RuleServer,
		"alice:x":                      RuleSigil,
		"!alice:x":                     RuleSigil,
		" @alice:x":                    RuleSigil,
		"@a\x00:x":                     RuleNUL,
		"@a\xff:x":                     RuleUTF8,
		"@a\xed\xa0\x80:x":             RuleUTF8, // a surrogate
		"@a:b:c":                       RulePort,
		"@a:x_y":                       RuleHost,
		"@a:x/":                        RuleHost,
		"@a:x\n":                       RuleHost,
		"@a:\u00e9":                    RuleHost,
		"@a:" + strings.Repeat(".", 3): RuleHost,
	})
	u, err := ParseUserID("@alice:example.org:8448")
	require.NoError(t, err)
	require.Equal(t, "alice", u.Localpart())
	require.Equal(t, ServerName("example.org:8448"), u.Server())
	require.Empty(t, UserID("").Localpart(), "the zero value does not panic")
	require.Empty(t, UserID("").Server())
	require.Empty(t, UserID("@:x").Localpart())
	for in, want := range map[UserID]bool{"@a~!:x": true, "@a b:x": false, "@é:x": false, "@:x": false, "@\x7f:x": false} {
		require.Equal(t, want, in.Compliant(), "%q", in)
	}
}

func TestNewUserIDs(t *testing.T) {
	const all = "abcdefghijklmnopqrstuvwxyz0123456789-.=_/+"
	u, err := NewUserID(all, "example.org")
	require.NoError(t, err)
	require.Equal(t, UserID("@"+all+":example.org"), u)
	for local, rule := range map[string]Rule{
		"": RuleEmpty, "Alice": RuleChars, "a b": RuleChars, "é": RuleChars, "a:b": RuleChars, "a@b": RuleChars, "a\x00": RuleChars,
		a(242): "", a(243): RuleLength,
	} {
		_, err := NewUserID(local, "example.org")
		if rule == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, &Error{"user ID", rule}, local)
	}
	_, err = NewUserID("a", "not a host")
	require.ErrorIs(t, err, &Error{"user ID", RuleHost})
	_, err = NewUserID("a", "")
	require.ErrorIs(t, err, &Error{"user ID", RuleServer})
}

func TestRoomIDs(t *testing.T) {
	check(t, "room ID", ParseRoomID, cases{
		"!jEsUZKDJdhlrceRyVU:example.org":              "",
		"!a b/é\t:x":                                   "",
		"!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM": "", // version 12
		"!" + a(254):                                   "",
		"!" + a(255):                                   RuleLength,
		"!" + a(253) + ":x":                            RuleLength,
		"":                                             RuleEmpty,
		"!":                                            RuleEmpty,
		"!a+b":                                         RuleChars, // the other alphabet
		"!a/b":                                         RuleChars,
		"!a.b":                                         RuleChars,
		"!é":                                           RuleChars,
		"!a=":                                          RuleChars,
		"!:":                                           RuleServer,
		"!a:":                                          RuleServer,
		"!a:b:c":                                       RulePort,
		"#a:x":                                         RuleSigil,
		"!a\x00:x":                                     RuleNUL,
		"!\xff":                                        RuleUTF8,
	})
	s, ok := RoomID("!a:x:80").Server()
	require.True(t, ok)
	require.Equal(t, ServerName("x:80"), s)
	s, ok = RoomID("!abc").Server()
	require.False(t, ok)
	require.Empty(t, s)
}

func TestEventIDs(t *testing.T) {
	check(t, "event ID", ParseEventID, cases{
		"$143273582443PhrSn:example.org":               "", // versions 1 and 2
		"$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk": "", // version 3
		"$a+b/c": "",
		"$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg": "", // since version 4
		"$" + a(254):  "",
		"$" + a(255):  RuleLength,
		"":            RuleEmpty,
		"$":           RuleEmpty,
		"$a=":         RuleChars,
		"$a b":        RuleChars,
		"$a:":         RuleServer,
		"$a:x/y":      RuleHost,
		"!a:x":        RuleSigil,
		"$\x00":       RuleNUL,
		"$\xc0\xaf:x": RuleUTF8,
	})
	s, ok := EventID("$a:x").Server()
	require.True(t, ok)
	require.Equal(t, ServerName("x"), s)
	_, ok = EventID("$abc").Server()
	require.False(t, ok)
}

func TestRoomAliases(t *testing.T) {
	check(t, "room alias", ParseRoomAlias, cases{
		"#room:example.org": "",
		"#Ümläut / 😀:x":     "",
		"#" + a(252) + ":x": "",
		"#" + a(253) + ":x": RuleLength,
		"#room":             RuleServer,
		"#a:b:c":            RulePort,
		"room:x":            RuleSigil,
		"":                  RuleEmpty,
		"#a\x00:x":          RuleNUL,
		"#a\xff:x":          RuleUTF8,
	})
	require.Equal(t, "room", RoomAlias("#room:x:1").Localpart())
	require.Equal(t, ServerName("x:1"), RoomAlias("#room:x:1").Server())
}

func TestServerNames(t *testing.T) {
	check(t, "server name", ParseServerName, cases{
		"matrix.org":             "",
		"matrix.org:8888":        "",
		"MATRIX.org":             "",
		"localhost":              "",
		"a-b.-c-":                "",
		"1.2.3.4":                "",
		"1.2.3.4:1234":           "",
		"1.2.3":                  "", // a DNS name by the grammar
		"1.2.3.4.5":              "",
		"1.2.3.a":                "",
		"[1234:5678::abcd]":      "",
		"[1234:5678::abcd]:5678": "",
		"[::]":                   "",
		"[::ffff:1.2.3.4]":       "",
		"x:0":                    "",
		"x:00080":                "",
		"x:65535":                "",
		a(255):                   "",
		a(255) + ":12345":        "",
		a(256):                   RuleLength,
		"":                       RuleEmpty,
		":80":                    RuleHost,
		"x:":                     RulePort,
		"x:65536":                RulePort,
		"x:123456":               RulePort,
		"x:8a":                   RulePort,
		"x:-1":                   RulePort,
		"x:80:80":                RulePort,
		"x y":                    RuleHost,
		"x_y":                    RuleHost,
		"x/y":                    RuleHost,
		"x\x00":                  RuleHost,
		"\xff":                   RuleHost,
		".":                      RuleHost,
		"..":                     RuleHost,
		"a..b":                   RuleHost,
		".a":                     RuleHost,
		"a.":                     RuleHost,
		"256.1.1.1":              RuleIPv4,
		"1.2.3.0004":             RuleIPv4,
		"1.2.3.999999999999999":  RuleIPv4,
		"::1":                    RulePort,
		"[::1":                   RuleIPv6,
		"[]":                     RuleIPv6,
		"[:]":                    RuleIPv6,
		"[1.2.3.4]":              RuleIPv6,
		"[::1%eth0]":             RuleIPv6,
		"[g::1]":                 RuleIPv6,
		"[::1]8080":              RulePort,
		"[::1]:":                 RulePort,
		"[::1]x:80":              RulePort,
		"[[::1]]":                RulePort,
		"x[::1]":                 RulePort,
		"[" + a(50) + "]":        RuleIPv6,
	})
	for s, want := range map[ServerName][3]any{
		"x.org":          {"x.org", "", false},
		"x.org:80":       {"x.org", "80", false},
		"1.2.3.4:80":     {"1.2.3.4", "80", true},
		"[::1]:80":       {"::1", "80", true},
		"[::1]":          {"::1", "", true},
		"1.2.3":          {"1.2.3", "", false},
		"":               {"", "", false},
		"[1234::abcd]:1": {"1234::abcd", "1", true},
	} {
		require.Equal(t, want, [3]any{s.Host(), s.Port(), s.IsIP()}, s)
	}
}

func TestDeviceIDs(t *testing.T) {
	check(t, "device ID", ParseDeviceID, cases{
		"GHTYAJCE": "", "*": "", "a b/é": "", a(255): "", a(256): RuleLength, "": RuleEmpty, "a\x00": RuleNUL, "\xff": RuleUTF8,
	})
}

func TestKeyIDs(t *testing.T) {
	check(t, "key ID", ParseKeyID, cases{
		"ed25519:abc_1":            "",
		"signed_curve25519:AAAAHQ": "",
		"ed25519:a/b+c=":           "",
		"org.example.new-1:x:y":    "",
		"":                         RuleEmpty,
		"ed25519":                  RuleAlgorithm,
		":abc":                     RuleAlgorithm,
		"ed 25519:abc":             RuleAlgorithm,
		"ed25519:":                 RuleEmpty,
		"ed25519:\x00":             RuleNUL,
		"ed25519:\xff":             RuleUTF8,
		"ed25519:" + a(248):        RuleLength,
	})
	k := KeyID("ed25519:abc_1")
	require.Equal(t, "ed25519", k.Algorithm())
	require.Equal(t, "abc_1", k.Name())
	require.True(t, k.IsServerKey())
	require.False(t, KeyID("ed25519:a-b").IsServerKey())
	require.False(t, KeyID("ed25519").IsServerKey())
}

func TestContentURIs(t *testing.T) {
	check(t, "content URI", ParseMXC, cases{
		"mxc://matrix.org/SEsfnsuifSDFSSEF": "",
		"mxc://[::1]:80/a_B-9":              "",
		"mxc://x/" + a(255):                 "",
		"mxc://x/" + a(256):                 RuleMediaID,
		"":                                  RuleScheme,
		"http://x/a":                        RuleScheme,
		"MXC://x/a":                         RuleScheme,
		"mxc:/x/a":                          RuleScheme,
		"mxc://":                            RuleEmpty,
		"mxc:///a":                          RuleEmpty,
		"mxc://x":                           RuleMediaID,
		"mxc://x/":                          RuleMediaID,
		"mxc://x/a/b":                       RuleMediaID,
		"mxc://x/a.b":                       RuleMediaID,
		"mxc://x/..":                        RuleMediaID,
		"mxc://x/%2e":                       RuleMediaID,
		"mxc://x/a?b":                       RuleMediaID,
		"mxc://x/a\xff":                     RuleMediaID,
		"mxc://../a":                        RuleHost,
		"mxc://a@x/a":                       RuleHost,
		"mxc://127.0.0.1/../../../some_service/etc/passwd": RuleMediaID,
	})
	m, err := NewMXC("x:80", "abc")
	require.NoError(t, err)
	require.Equal(t, MXC("mxc://x:80/abc"), m)
	require.Equal(t, ServerName("x:80"), m.Server())
	require.Equal(t, "abc", m.MediaID())
	_, err = NewMXC("x", "a/b")
	require.ErrorIs(t, err, &Error{"content URI", RuleMediaID})
	require.Empty(t, MXC("").MediaID())
}

func TestOtherGrammars(t *testing.T) {
	for in, want := range map[string][2]bool{ // opaque, namespaced
		"m.room":  {true, true},
		"a":       {true, true},
		"a-b_c.9": {true, true},
		"A~b":     {true, false},
		"9a":      {true, false},
		".a":      {true, false},
		"a~":      {true, false},
		"":        {false, false},
		"a b":     {false, false},
		"a/b":     {false, false},
		"é":       {false, false},
		"a\x00":   {false, false},
		a(255):    {true, true},
		a(256):    {false, false},
		"a\u2028": {false, false},
		"m.Room":  {true, false},
	} {
		require.Equal(t, want, [2]bool{IsOpaque(in), IsNamespaced(in)}, "%.20q", in)
	}
}

func TestErrors(t *testing.T) {
	_, err := ParseUserID("x")
	require.EqualError(t, err, "the user ID does not begin with its sigil")
	var e *Error
	require.True(t, errors.As(err, &e))
	require.Equal(t, RuleSigil, e.Rule)
	require.NotErrorIs(t, err, &Error{"room ID", RuleSigil})
}

func TestIdentifiersAsMembers(t *testing.T) {
	var m map[UserID]DeviceID
	require.NoError(t, json.Unmarshal([]byte(`{"@a:x":"D"}`), &m))
	require.Equal(t, map[UserID]DeviceID{"@a:x": "D"}, m)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"a:x":"D"}`), &m), &Error{"user ID", RuleSigil})
}
