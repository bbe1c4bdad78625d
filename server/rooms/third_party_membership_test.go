// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/env"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/fakeidentity"
	"touchstone.example/tests/slicetest"
)

// with is an object with some members changed, or without those that are nil.
func with(o map[string]any, change slicetest.O) slicetest.O {
	out := slicetest.O{}
	for _, m := range []map[string]any{o, change} {
		for k, v := range m {
			out[k] = v
			if v == nil {
				delete(out, k)
			}
		}
	}
	return out
}

// TestInviteBy3PID: the user whom an address is known to be of is invited.
func TestInviteBy3PID(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.identity.Bind("email", "strauss@example.com", slicetest.User("bob"))
		h.identity.Bind("msisdn", "18005552067", slicetest.User("carol"))
		room := h.create("alice", slicetest.O{})
		h.act("alice", room, "invite", h.identity.Ask("email", "Strauß@Example.com"))
		require.Equal(t, []string{"hash_details", "lookup"}, h.identity.Calls(), "nothing is kept")
		require.Equal(t, "invite", h.membership(room, "bob"))
		h.identity.Hash("none")
		h.act("alice", room, "invite", h.identity.Ask("msisdn", "18005552067"))
		require.Equal(t, "invite", h.membership(room, "carol"))
		h.act("bob", room, "join", slicetest.O{})
		require.Equal(t, []string{"member @bob:hs1", "member @carol:hs1", "member @bob:hs1"}, types(h.history("alice", room))[6:])
	})
}

// TestInviteNobodyYet: for an address that is nobody's, the identity server
// keeps the invitation, and the room a sign of it.
func TestInviteNobodyYet(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		require.NoError(t, h.DB.Write(t.Context(), func(tx *storage.Writer) error {
			err := tx.PutProfileField(t.Context(), slicetest.User("alice"), storage.ProfileField{Name: "displayname", Value: []byte(`"Alice"`)})
			if err != nil {
				return err
			}
			return tx.PutProfileField(t.Context(), slicetest.User("alice"), storage.ProfileField{Name: "avatar_url", Value: []byte(`"mxc://hs1/alice"`)})
		}))
		room := h.create("alice", slicetest.O{
			"name": "A room", "room_alias_name": "room", "creation_content": slicetest.O{"type": "m.space"},
			"initial_state": slicetest.L{slicetest.O{"type": "m.room.avatar", "content": slicetest.O{"url": "mxc://hs1/room"}}},
		})
		h.act("alice", room, "invite", h.identity.Ask("email", "Bob@Example.com"))
		require.Equal(t, []string{"hash_details", "lookup", "store-invite"}, h.identity.Calls())
		kept := h.identity.Invites()
		require.Len(t, kept, 1)
		require.JSONEq(t, `{"medium":"email","address":"bob@example.com","room_id":"`+room+`","sender":"@alice:hs1",
			"room_alias":"#room:hs1","room_avatar_url":"mxc://hs1/room","room_join_rules":"invite","room_name":"A room","room_type":"m.space",
			"sender_avatar_url":"mxc://hs1/alice","sender_display_name":"Alice"}`, string(kept[0].AppendJSON(nil)))
		history := h.history("alice", room)
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
		h.create("alice", slicetest.O{"room_version": "1"})
		bare := h.create("bob", slicetest.O{"room_version": "3"})
		h.act("bob", bare, "invite", h.identity.Ask("email", "c@example.com"))
		require.JSONEq(t, `{"medium":"email","address":"c@example.com","room_id":"`+bare+`","sender":"@bob:hs1","room_join_rules":"invite"}`,
			string(h.identity.Invites()[1].AppendJSON(nil)), "what there is not is not said")
	})
}

// TestInviteBy3PIDRefused is what is wrong with a request; nobody else hears of
// it.
func TestInviteBy3PIDRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		room := h.create("alice", slicetest.O{"power_level_content_override": slicetest.O{"invite": 50}, "invite": slicetest.L{slicetest.User("bob"), slicetest.User("carol")}})
		h.act("bob", room, "join", slicetest.O{})
		ask := h.identity.Ask("email", "dan@example.com")
		var r rows
		post := func(name, token string, body any, status int, errcode string) {
			r.add(name, "POST", at(room, "invite"), token, body, status, errcode)
		}
		post("no token", "", ask, 401, "M_MISSING_TOKEN")
		for _, name := range []string{"id_server", "id_access_token", "address"} {
			post("no "+name, "alice", with(ask, slicetest.O{name: nil}), 400, "M_BAD_JSON")
			post("a number for "+name, "alice", with(ask, slicetest.O{name: 7}), 400, "M_BAD_JSON")
			post("null for "+name, "alice", `{"medium":"email","`+name+`":null}`, 400, "M_BAD_JSON")
			post("an empty "+name, "alice", with(ask, slicetest.O{name: ""}), 400, "M_MISSING_PARAM")
		}
		post("no medium and no user", "alice", with(ask, slicetest.O{"medium": nil}), 400, "M_BAD_JSON")
		post("an empty medium", "alice", with(ask, slicetest.O{"medium": ""}), 400, "M_MISSING_PARAM")
		for _, name := range []string{"https://127.0.0.1", "127.0.0.1/x", "a b", "user@127.0.0.1", "127.0.0.1:99999", "127.0.0.1#", "[::1", "..", "127.0.0.1\r\nX: y"} {
			post("what is no server: "+name, "alice", with(ask, slicetest.O{"id_server": name}), 400, "M_INVALID_PARAM")
		}
		post("a token of two lines", "alice", with(ask, slicetest.O{"id_access_token": "a\r\nX: y"}), 400, "M_INVALID_PARAM")
		post("a stranger", "dan", ask, 403, "M_FORBIDDEN")
		post("who is only invited", "carol", ask, 403, "M_FORBIDDEN")
		post("without the power", "bob", ask, 403, "M_FORBIDDEN")
		r.add("a room of nobody's", "POST", at("!none", "invite"), "alice", ask, 403, "M_FORBIDDEN")
		r.add("what is no room", "POST", at("room", "invite"), "alice", ask, 400, "M_INVALID_PARAM")
		before := h.history("alice", room)
		slicetest.Table(t, h.router, r)
		require.Empty(t, h.identity.Calls(), "the identity server is not asked")
		require.Equal(t, before, h.history("alice", room))
	})
}

// TestIdentityServerRefuses is what the client hears when the identity server
// is at fault, or refuses.
func TestIdentityServerRefuses(t *testing.T) {
	h := newHouse(t, storagetest.Open(t))
	room := h.create("alice", slicetest.O{"invite": slicetest.L{slicetest.User("bob")}})
	h.act("bob", room, "join", slicetest.O{})
	h.act("alice", room, "ban", target("eve"))
	before := h.history("alice", room)
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
			h.identity.Instead(c.what, c.how)
			defer h.identity.Instead(c.what, nil)
			a := h.do("POST", at(room, "invite"), "alice", h.identity.Ask("email", "dan@example.com"))
			require.Equal(t, c.status, a.Status, a)
			require.Equal(t, c.errcode, a.At("errcode"), a)
		})
	}
	var r rows
	for _, who := range []id.UserID{"@bob:hs1", "@eve:hs1", "@bob:elsewhere"} {
		h.identity.Bind("email", string(who), who)
		r.add("found "+string(who), "POST", at(room, "invite"), "alice", h.identity.Ask("email", string(who)), 403, "M_FORBIDDEN")
	}
	h.identity.Bind("email", "bob", "bob")
	r.add("found what is no user", "POST", at(room, "invite"), "alice", h.identity.Ask("email", "bob"), 400, "M_UNKNOWN")
	r.add("a token that it does not know", "POST", at(room, "invite"), "alice",
		with(h.identity.Ask("email", "d@example.com"), slicetest.O{"id_access_token": "other"}), 403, "M_FORBIDDEN")
	r.add("a telephone", "POST", at(room, "invite"), "alice", h.identity.Ask("msisdn", "18005552067"), 400, "M_INVALID_PARAM")
	slicetest.Table(t, h.router, r)
	require.Equal(t, before, h.history("alice", room), "nothing of this is in the room")
	require.Empty(t, h.identity.Invites())
}

// TestCreateRoomInvitesAddresses: with a room come the invitations of all whom
// the request names, whether they are anybody yet or not.
func TestCreateRoomInvitesAddresses(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.identity.Bind("email", "bob@example.com", slicetest.User("bob"))
		h.identity.Bind("email", "robert@example.com", slicetest.User("bob"))
		h.identity.Bind("email", "carol@example.com", slicetest.User("carol"))
		ask := func(address string) any { return h.identity.Ask("email", address) }
		for _, version := range []string{"1", "11", "12"} {
			writes := h.DB.Stats().Writes
			room := h.create("alice", slicetest.O{
				"room_version": version, "preset": "trusted_private_chat", "is_direct": true, "name": "A room", "invite": slicetest.L{slicetest.User("carol")},
				"invite_3pid": slicetest.L{ask("bob@example.com"), ask("d@example.com"), ask("carol@example.com"), ask("e@example.com"), ask("robert@example.com"), ask("D@example.com")},
			})
			require.Equal(t, writes+1, h.DB.Stats().Writes, "one transaction")
			history := h.history("alice", room)
			invites := h.identity.Invites()
			kept := invites[len(invites)-2:]
			require.Equal(t, []string{
				"create", "member @alice:hs1", "power_levels", "join_rules", "history_visibility", "guest_access", "name",
				"member @carol:hs1", "member @bob:hs1",
			}, types(history)[:9])
			require.Len(t, history, 11)
			for i, e := range history[7:9] {
				require.Equal(t, map[string]any{"membership": "invite", "is_direct": true}, e.Content, i)
			}
			for i, e := range history[9:] {
				require.Equal(t, "m.room.third_party_invite", e.Type)
				require.Equal(t, []string{"d...", "e..."}[i], e.Content["display_name"])
				require.EqualValues(t, room, kept[i].RoomID)
				require.Equal(t, "A room", kept[i].RoomName.Value)
			}
			if version == "12" {
				require.Equal(t, []any{"@carol:hs1"}, history[0].Content["additional_creators"], "creators are only whom the request names")
			} else {
				require.Equal(t, map[string]any{"@alice:hs1": 100.0, "@bob:hs1": 100.0, "@carol:hs1": 100.0}, history[2].Content["users"])
			}
		}
	})
}

// TestCreateRoomRefusesAddresses: an invitation is kept only for a room that
// comes to be.
func TestCreateRoomRefusesAddresses(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.create("bob", slicetest.O{"room_alias_name": "taken"})
		h.identity.Bind("email", "alice@example.com", slicetest.User("alice"))
		h.identity.Bind("email", "far@example.com", "@far:elsewhere")
		ask := h.identity.Ask("email", "d@example.com")
		many := slicetest.L{}
		for range 33 {
			many = append(many, ask)
		}
		var r rows
		post := func(name string, body slicetest.O, status int, errcode string) {
			if body["invite_3pid"] == nil {
				body["invite_3pid"] = slicetest.L{ask}
			}
			r.add(name, "POST", pathCreate, "alice", body, status, errcode)
		}
		post("a member too few", slicetest.O{"invite_3pid": slicetest.L{with(ask, slicetest.O{"id_access_token": nil})}}, 400, "M_BAD_JSON")
		post("an empty member", slicetest.O{"invite_3pid": slicetest.L{ask, with(ask, slicetest.O{"address": ""})}}, 400, "M_MISSING_PARAM")
		post("what is no server", slicetest.O{"invite_3pid": slicetest.L{with(ask, slicetest.O{"id_server": "https://x"})}}, 400, "M_INVALID_PARAM")
		post("very many", slicetest.O{"invite_3pid": many}, 400, "M_INVALID_PARAM")
		post("a version of nobody's", slicetest.O{"room_version": "13"}, 400, "M_UNSUPPORTED_ROOM_VERSION")
		r = append(r, slicetest.Row{Name: "so far nobody was asked", Method: "GET", Path: slicetest.Path("v3/joined_rooms"), Token: "alice", Status: 200})
		asked := len(r)
		post("an alias that is taken", slicetest.O{"room_alias_name": "taken"}, 400, "M_ROOM_IN_USE")
		post("without the power", slicetest.O{"room_version": "11", "power_level_content_override": slicetest.O{"invite": 101}}, 400, "M_INVALID_ROOM_STATE")
		post("a creator with a power level", slicetest.O{"power_level_content_override": slicetest.O{"users": slicetest.O{"@alice:hs1": 100}}}, 400, "M_INVALID_ROOM_STATE")
		post("the creator's own address", slicetest.O{"invite_3pid": slicetest.L{ask, h.identity.Ask("email", "alice@example.com")}}, 400, "M_INVALID_ROOM_STATE")
		post("somebody of elsewhere", slicetest.O{"invite_3pid": slicetest.L{ask, h.identity.Ask("email", "far@example.com")}}, 403, "M_FORBIDDEN")
		post("a token that it does not know", slicetest.O{"invite_3pid": slicetest.L{with(ask, slicetest.O{"id_access_token": "other"})}}, 403, "M_FORBIDDEN")
		slicetest.Table(t, h.router, r[:asked])
		require.Empty(t, h.identity.Calls())
		slicetest.Table(t, h.router, r[asked:])
		require.NotContains(t, h.identity.Calls(), "store-invite")
		r = nil
		post("a telephone", slicetest.O{"invite_3pid": slicetest.L{h.identity.Ask("msisdn", "1")}}, 400, "M_INVALID_PARAM")
		slicetest.Table(t, h.router, r)
		require.Empty(t, h.identity.Invites())
		require.Equal(t, `{"joined_rooms":[]}`, h.ok("GET", slicetest.Path("v3/joined_rooms"), "alice", nil).Body, "no half of a room")
	})
}

// TestStartingOverAsksOnce: a room whose ID another process has just given away
// is made under another one, and nobody gets a second mail, or one for a room
// that is not theirs.
func TestStartingOverAsksOnce(t *testing.T) {
	for _, version := range []string{"11", "12"} {
		t.Run(version, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				body := slicetest.O{"room_version": version, "invite_3pid": slicetest.L{h.identity.Ask("email", "bob@example.com")}}
				first := h.create("alice", body)
				h.identity.Calls()
				deps := h.deps // of another process, with the same luck
				deps.Env = env.Fixed("stage", env.Frozen(h.Clock.Now()))
				h.router = h.Router(t, api.Config{Auth: slicetest.Tokens()})
				clientapi.MountCreateRoom(h.router, rooms.New(deps))
				second := h.create("alice", body)
				require.NotEqual(t, first, second)
				require.Equal(t, []string{"hash_details", "lookup", "store-invite"}, h.identity.Calls())
				invites := h.identity.Invites()
				require.EqualValues(t, second, invites[len(invites)-1].RoomID)
			})
		})
	}
}
