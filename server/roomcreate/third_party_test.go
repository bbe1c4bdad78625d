// SPDX-License-Identifier: Apache-2.0

package roomcreate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/env"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// TestCreateRoomInvitesAddresses: with a room come the invitations of all whom
// the request names, whether they are anybody yet or not.
func TestCreateRoomInvitesAddresses(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.Identity.Bind("email", "bob@example.com", slicetest.User("bob"))
		h.Identity.Bind("email", "robert@example.com", slicetest.User("bob"))
		h.Identity.Bind("email", "carol@example.com", slicetest.User("carol"))
		ask := func(address string) any { return h.Identity.Ask("email", address) }
		for _, version := range []string{"1", "11", "12"} {
			writes := h.DB.Stats().Writes
			room := h.Create("alice", slicetest.O{
				"room_version": version, "preset": "trusted_private_chat", "is_direct": true, "name": "A room", "invite": slicetest.L{slicetest.User("carol")},
				"invite_3pid": slicetest.L{ask("bob@example.com"), ask("d@example.com"), ask("carol@example.com"), ask("e@example.com"), ask("robert@example.com"), ask("D@example.com")},
			})
			require.Equal(t, writes+1, h.DB.Stats().Writes, "one transaction")
			history := h.History("alice", room)
			invites := h.Identity.Invites()
			kept := invites[len(invites)-2:]
			require.Equal(t, []string{
				"create", "member @alice:hs1", "power_levels", "join_rules", "history_visibility", "guest_access", "name",
				"member @carol:hs1", "member @bob:hs1",
			}, roomtest.Types(history)[:9])
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
	each(t, func(t *testing.T, h *fixture) {
		h.Create("bob", slicetest.O{"room_alias_name": "taken"})
		h.Identity.Bind("email", "alice@example.com", slicetest.User("alice"))
		h.Identity.Bind("email", "far@example.com", "@far:elsewhere")
		ask := h.Identity.Ask("email", "d@example.com")
		many := slicetest.L{}
		for range 33 {
			many = append(many, ask)
		}
		var r roomtest.Rows
		post := func(name string, body slicetest.O, status int, errcode string) {
			if body["invite_3pid"] == nil {
				body["invite_3pid"] = slicetest.L{ask}
			}
			r.Add(name, "POST", roomtest.CreatePath, "alice", body, status, errcode)
		}
		post("a member too few", slicetest.O{"invite_3pid": slicetest.L{roomtest.With(ask, slicetest.O{"id_access_token": nil})}}, 400, "M_BAD_JSON")
		post("an empty member", slicetest.O{"invite_3pid": slicetest.L{ask, roomtest.With(ask, slicetest.O{"address": ""})}}, 400, "M_MISSING_PARAM")
		post("what is no server", slicetest.O{"invite_3pid": slicetest.L{roomtest.With(ask, slicetest.O{"id_server": "https://x"})}}, 400, "M_INVALID_PARAM")
		post("very many", slicetest.O{"invite_3pid": many}, 400, "M_INVALID_PARAM")
		post("a version of nobody's", slicetest.O{"room_version": "13"}, 400, "M_UNSUPPORTED_ROOM_VERSION")
		r = append(r, slicetest.Row{Name: "so far nobody was asked", Method: "GET", Path: slicetest.Path("v3/joined_rooms"), Token: "alice", Status: 200})
		asked := len(r)
		post("an alias that is taken", slicetest.O{"room_alias_name": "taken"}, 400, "M_ROOM_IN_USE")
		post("without the power", slicetest.O{"room_version": "11", "power_level_content_override": slicetest.O{"invite": 101}}, 400, "M_INVALID_ROOM_STATE")
		post("a creator with a power level", slicetest.O{"power_level_content_override": slicetest.O{"users": slicetest.O{"@alice:hs1": 100}}}, 400, "M_INVALID_ROOM_STATE")
		post("the creator's own address", slicetest.O{"invite_3pid": slicetest.L{ask, h.Identity.Ask("email", "alice@example.com")}}, 400, "M_INVALID_ROOM_STATE")
		post("somebody of elsewhere", slicetest.O{"invite_3pid": slicetest.L{ask, h.Identity.Ask("email", "far@example.com")}}, 403, "M_FORBIDDEN")
		post("a token that it does not know", slicetest.O{"invite_3pid": slicetest.L{roomtest.With(ask, slicetest.O{"id_access_token": "other"})}}, 403, "M_FORBIDDEN")
		slicetest.Table(t, h.Handler, r[:asked])
		require.Empty(t, h.Identity.Calls())
		slicetest.Table(t, h.Handler, r[asked:])
		require.NotContains(t, h.Identity.Calls(), "store-invite")
		r = nil
		post("a telephone", slicetest.O{"invite_3pid": slicetest.L{h.Identity.Ask("msisdn", "1")}}, 400, "M_INVALID_PARAM")
		slicetest.Table(t, h.Handler, r)
		require.Empty(t, h.Identity.Invites())
		require.Equal(t, `{"joined_rooms":[]}`, h.OK("GET", slicetest.Path("v3/joined_rooms"), "alice", nil).Body, "no half of a room")
	})
}

// TestStartingOverAsksOnce: a room whose ID another process has just given away
// is made under another one, and nobody gets a second mail, or one for a room
// that is not theirs.
func TestStartingOverAsksOnce(t *testing.T) {
	for _, version := range []string{"11", "12"} {
		t.Run(version, func(t *testing.T) {
			each(t, func(t *testing.T, h *fixture) {
				body := slicetest.O{"room_version": version, "invite_3pid": slicetest.L{h.Identity.Ask("email", "bob@example.com")}}
				first := h.Create("alice", body)
				h.Identity.Calls()
				h.Server = h.Another(func(d *roomtest.Deps) { // of the same luck
					d.Rooms.Env = env.Fixed("stage", env.Frozen(h.Clock.Now()))
					d.RoomCreate.Env = d.Rooms.Env
				})
				second := h.Create("alice", body)
				require.NotEqual(t, first, second)
				require.Equal(t, []string{"hash_details", "lookup", "store-invite"}, h.Identity.Calls())
				invites := h.Identity.Invites()
				require.EqualValues(t, second, invites[len(invites)-1].RoomID)
			})
		})
	}
}
