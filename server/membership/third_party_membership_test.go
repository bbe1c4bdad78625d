// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/fakeidentity"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// TestInviteBy3PID: the user whom an address is known to be of is invited.
func TestInviteBy3PID(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.Identity.Bind("email", "strauss@example.com", slicetest.User("bob"))
		h.Identity.Bind("msisdn", "18005552067", slicetest.User("carol"))
		room := h.Create("alice", slicetest.O{})
		h.Act("alice", room, "invite", h.Identity.Ask("email", "Strauß@Example.com"))
		require.Equal(t, []string{"hash_details", "lookup"}, h.Identity.Calls(), "nothing is kept")
		require.Equal(t, "invite", h.Membership(room, "bob"))
		h.Identity.Hash("none")
		h.Act("alice", room, "invite", h.Identity.Ask("msisdn", "18005552067"))
		require.Equal(t, "invite", h.Membership(room, "carol"))
		h.Act("bob", room, "join", slicetest.O{})
		require.Equal(t, []string{"member @bob:hs1", "member @carol:hs1", "member @bob:hs1"}, roomtest.Types(h.History("alice", room))[6:])
	})
}

// TestInviteNobodyYet: for an address that is nobody's, the identity server
// keeps the invitation, and the room a sign of it.
func TestInviteNobodyYet(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		require.NoError(t, h.DB.Write(t.Context(), func(tx *storage.Writer) error {
			err := tx.PutProfileField(t.Context(), slicetest.User("alice"), storage.ProfileField{Name: "displayname", Value: []byte(`"Alice"`)})
			if err != nil {
				return err
			}
			return tx.PutProfileField(t.Context(), slicetest.User("alice"), storage.ProfileField{Name: "avatar_url", Value: []byte(`"mxc://hs1/alice"`)})
		}))
		room := h.Create("alice", slicetest.O{
			"name": "A room", "room_alias_name": "room", "creation_content": slicetest.O{"type": "m.space"},
			"initial_state": slicetest.L{slicetest.O{"type": "m.room.avatar", "content": slicetest.O{"url": "mxc://hs1/room"}}},
		})
		h.Act("alice", room, "invite", h.Identity.Ask("email", "Bob@Example.com"))
		require.Equal(t, []string{"hash_details", "lookup", "store-invite"}, h.Identity.Calls())
		kept := h.Identity.Invites()
		require.Len(t, kept, 1)
		require.JSONEq(t, `{"medium":"email","address":"bob@example.com","room_id":"`+room+`","sender":"@alice:hs1",
			"room_alias":"#room:hs1","room_avatar_url":"mxc://hs1/room","room_join_rules":"invite","room_name":"A room","room_type":"m.space",
			"sender_avatar_url":"mxc://hs1/alice","sender_display_name":"Alice"}`, string(kept[0].AppendJSON(nil)))
		history := h.History("alice", room)
		last := history[len(history)-1]
		require.Equal(t, "m.room.third_party_invite", last.Type)
		require.Equal(t, "token-1", *last.StateKey)
		require.EqualValues(t, "@alice:hs1", last.Sender)
		keys, _ := last.Content["public_keys"].([]any)
		require.Len(t, keys, 2)
		first, _ := keys[0].(map[string]any)
		require.Equal(t, map[string]any{
			"display_name": "b...", "public_key": first["public_key"], "key_validity_url": first["key_validity_url"], "public_keys": keys,
		}, last.Content)
		h.Create("alice", slicetest.O{"room_version": "1"})
		bare := h.Create("bob", slicetest.O{"room_version": "3"})
		h.Act("bob", bare, "invite", h.Identity.Ask("email", "c@example.com"))
		require.JSONEq(t, `{"medium":"email","address":"c@example.com","room_id":"`+bare+`","sender":"@bob:hs1","room_join_rules":"invite"}`,
			string(h.Identity.Invites()[1].AppendJSON(nil)), "what there is not is not said")
	})
}

// TestInviteBy3PIDRefused is what is wrong with a request; nobody else hears of
// it.
func TestInviteBy3PIDRefused(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Create("alice", slicetest.O{"power_level_content_override": slicetest.O{"invite": 50}, "invite": slicetest.L{slicetest.User("bob"), slicetest.User("carol")}})
		h.Act("bob", room, "join", slicetest.O{})
		ask := h.Identity.Ask("email", "dan@example.com")
		var r roomtest.Rows
		post := func(name, token string, body any, status int, errcode string) {
			r.Add(name, "POST", roomtest.At(room, "invite"), token, body, status, errcode)
		}
		post("no token", "", ask, 401, "M_MISSING_TOKEN")
		for _, name := range []string{"id_server", "id_access_token", "address"} {
			post("no "+name, "alice", roomtest.With(ask, slicetest.O{name: nil}), 400, "M_BAD_JSON")
			post("a number for "+name, "alice", roomtest.With(ask, slicetest.O{name: 7}), 400, "M_BAD_JSON")
			post("null for "+name, "alice", `{"medium":"email","`+name+`":null}`, 400, "M_BAD_JSON")
			post("an empty "+name, "alice", roomtest.With(ask, slicetest.O{name: ""}), 400, "M_MISSING_PARAM")
		}
		post("no medium and no user", "alice", roomtest.With(ask, slicetest.O{"medium": nil}), 400, "M_BAD_JSON")
		post("an empty medium", "alice", roomtest.With(ask, slicetest.O{"medium": ""}), 400, "M_MISSING_PARAM")
		for _, name := range []string{"https://127.0.0.1", "127.0.0.1/x", "a b", "user@127.0.0.1", "127.0.0.1:99999", "127.0.0.1#", "[::1", "..", "127.0.0.1\r\nX: y"} {
			post("what is no server: "+name, "alice", roomtest.With(ask, slicetest.O{"id_server": name}), 400, "M_INVALID_PARAM")
		}
		post("a token of two lines", "alice", roomtest.With(ask, slicetest.O{"id_access_token": "a\r\nX: y"}), 400, "M_INVALID_PARAM")
		post("a stranger", "dan", ask, 403, "M_FORBIDDEN")
		post("who is only invited", "carol", ask, 403, "M_FORBIDDEN")
		post("without the power", "bob", ask, 403, "M_FORBIDDEN")
		r.Add("a room of nobody's", "POST", roomtest.At("!none", "invite"), "alice", ask, 403, "M_FORBIDDEN")
		r.Add("what is no room", "POST", roomtest.At("room", "invite"), "alice", ask, 400, "M_INVALID_PARAM")
		before := h.History("alice", room)
		slicetest.Table(t, h.Handler, r)
		require.Empty(t, h.Identity.Calls(), "the identity server is not asked")
		require.Equal(t, before, h.History("alice", room))
	})
}

// TestIdentityServerRefuses is what the client hears when the identity server
// is at fault, or refuses.
func TestIdentityServerRefuses(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	room := h.Create("alice", slicetest.O{"invite": slicetest.L{slicetest.User("bob")}})
	h.Act("bob", room, "join", slicetest.O{})
	h.Act("alice", room, "ban", roomtest.Target("eve"))
	before := h.History("alice", room)
	key := strings.Repeat("A", 43)
	kept := func(token, keys string) http.HandlerFunc {
		return fakeidentity.Says(200, `{"token":"`+token+`","display_name":"d","public_keys":[`+keys+`]}`)
	}
	good := `{"public_key":"` + key + `","key_validity_url":"https://x/"}`
	for name, c := range map[string]struct {
		what    string // path that is answered otherwise
		how     http.HandlerFunc
		status  int
		errcode string
	}{
		"no such endpoint":           {"hash_details", fakeidentity.Says(404, `{"errcode":"M_UNRECOGNIZED","error":"x"}`), 400, "M_UNKNOWN"},
		"what is not JSON":           {"hash_details", fakeidentity.Says(200, `<html>`), 400, "M_UNKNOWN"},
		"an error that is not JSON":  {"lookup", fakeidentity.Says(502, `<html>`), 400, "M_UNKNOWN"},
		"a member too few":           {"hash_details", fakeidentity.Says(200, `{"algorithms":["sha256"]}`), 400, "M_UNKNOWN"},
		"no algorithm of ours":       {"hash_details", fakeidentity.Says(200, `{"algorithms":["rot13"],"lookup_pepper":"p"}`), 400, "M_UNKNOWN"},
		"another pepper":             {"hash_details", fakeidentity.Says(200, `{"algorithms":["sha256"],"lookup_pepper":"p"}`), 400, "M_UNKNOWN"},
		"an answer without end":      {"hash_details", fakeidentity.Says(200, strings.Repeat(" ", 1<<20)), 400, "M_UNKNOWN"},
		"a redirection":              {"hash_details", http.RedirectHandler("/_matrix/identity/v2/lookup", http.StatusTemporaryRedirect).ServeHTTP, 400, "M_UNKNOWN"},
		"a redirection to elsewhere": {"lookup", http.RedirectHandler("https://127.0.0.2/", http.StatusFound).ServeHTTP, 400, "M_UNKNOWN"},
		"a broken connection":        {"store-invite", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 400, "M_UNKNOWN"},
		"terms to be signed":         {"lookup", fakeidentity.Says(403, `{"errcode":"M_TERMS_NOT_SIGNED","error":"x"}`), 403, "M_FORBIDDEN"},
		"a token that is over":       {"lookup", fakeidentity.Says(401, `{"errcode":"M_UNKNOWN_TOKEN","error":"x"}`), 403, "M_FORBIDDEN"},
		"a refusal":                  {"store-invite", fakeidentity.Says(403, `{"errcode":"M_FORBIDDEN","error":"x"}`), 403, "M_FORBIDDEN"},
		"too many requests":          {"lookup", fakeidentity.Says(429, `{"errcode":"M_LIMIT_EXCEEDED","error":"x"}`), 429, "M_LIMIT_EXCEEDED"},
		"bound meanwhile":            {"store-invite", fakeidentity.Says(400, `{"errcode":"M_THREEPID_IN_USE","error":"x","mxid":"@a:b"}`), 400, "M_THREEPID_IN_USE"},
		"a medium it does not know":  {"store-invite", fakeidentity.Says(400, `{"errcode":"M_UNRECOGNIZED","error":"x"}`), 400, "M_INVALID_PARAM"},
		"an empty token":             {"store-invite", kept("", good), 400, "M_UNKNOWN"},
		"a token of other letters":   {"store-invite", kept("a/b", good), 400, "M_UNKNOWN"},
		"a token of 256 bytes":       {"store-invite", kept(strings.Repeat("t", 256), good), 400, "M_UNKNOWN"},
		"no keys":                    {"store-invite", kept("t", ""), 400, "M_UNKNOWN"},
		"a key that is none":         {"store-invite", kept("t", `{"public_key":"AAAA","key_validity_url":"u"}`), 400, "M_UNKNOWN"},
	} {
		t.Run(name, func(t *testing.T) {
			h.Identity.Instead(c.what, c.how)
			defer h.Identity.Instead(c.what, nil)
			a := h.Do("POST", roomtest.At(room, "invite"), "alice", h.Identity.Ask("email", "dan@example.com"))
			require.Equal(t, c.status, a.Status, a)
			require.Equal(t, c.errcode, a.At("errcode"), a)
		})
	}
	var r roomtest.Rows
	for _, who := range []id.UserID{"@bob:hs1", "@eve:hs1", "@bob:elsewhere"} {
		h.Identity.Bind("email", string(who), who)
		r.Add("found "+string(who), "POST", roomtest.At(room, "invite"), "alice", h.Identity.Ask("email", string(who)), 403, "M_FORBIDDEN")
	}
	h.Identity.Bind("email", "bob", "bob")
	r.Add("found what is no user", "POST", roomtest.At(room, "invite"), "alice", h.Identity.Ask("email", "bob"), 400, "M_UNKNOWN")
	r.Add("a token that it does not know", "POST", roomtest.At(room, "invite"), "alice",
		roomtest.With(h.Identity.Ask("email", "d@example.com"), slicetest.O{"id_access_token": "other"}), 403, "M_FORBIDDEN")
	r.Add("a telephone", "POST", roomtest.At(room, "invite"), "alice", h.Identity.Ask("msisdn", "18005552067"), 400, "M_INVALID_PARAM")
	slicetest.Table(t, h.Handler, r)
	require.Equal(t, before, h.History("alice", room), "nothing of this is in the room")
	require.Empty(t, h.Identity.Invites())
}
