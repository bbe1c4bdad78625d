// SPDX-License-Identifier: Apache-2.0

package roomcreate_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomver"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// TestEveryVersionWithEveryPreset makes a room of each kind and looks at its
// events, their order and their content.
func TestEveryVersionWithEveryPreset(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, rules := range roomver.All() {
			for _, preset := range []string{"private_chat", "trusted_private_chat", "public_chat", "", "visibility"} {
				t.Run(rules.Version+" "+preset, func(t *testing.T) { h.in(t).oneRoom(rules, preset) })
			}
		}
	})
}

func (h *fixture) oneRoom(rules *roomver.Rules, preset string) {
	t := h.T
	body := slicetest.O{"room_version": rules.Version, "invite": slicetest.L{slicetest.User("bob")}, "name": "A room", "is_direct": true}
	switch preset {
	case "visibility":
		body["visibility"], preset = "public", "public_chat"
	case "":
		preset = "private_chat"
	default:
		body["preset"] = preset
	}
	room := h.Create("alice", body)
	require.Equal(t, !rules.RoomIDIsCreateHash, strings.HasSuffix(room, ":hs1"), room)
	events := h.History("alice", room)
	require.Equal(t, []string{
		"create", "member @alice:hs1", "power_levels", "join_rules", "history_visibility", "guest_access", "name", "member @bob:hs1",
	}, roomtest.Types(events))
	for _, e := range events {
		require.EqualValues(t, "@alice:hs1", e.Sender)
		require.EqualValues(t, room, e.RoomID)
	}
	if rules.RoomIDIsCreateHash {
		require.Equal(t, room[1:], string(events[0].ID)[1:])
	}

	trusted := preset == "trusted_private_chat"
	create := map[string]any{"room_version": rules.Version}
	if rules.CreatorInContent {
		create["creator"] = "@alice:hs1"
	}
	if trusted && rules.CreatorsPrivileged {
		create["additional_creators"] = []any{"@bob:hs1"}
	}
	require.Equal(t, create, events[0].Content)

	users, tombstone := map[string]any{}, 100.0
	if rules.CreatorsPrivileged {
		tombstone = 150
	} else {
		users["@alice:hs1"] = 100.0
		if trusted {
			users["@bob:hs1"] = 100.0
		}
	}
	levels := events[2].Content
	require.Equal(t, users, levels["users"])
	require.Equal(t, tombstone, levels["events"].(map[string]any)["m.room.tombstone"])
	require.Equal(t, 50.0, levels["state_default"])

	want := map[string][]string{
		"private_chat": {"invite", "shared", "can_join"}, "trusted_private_chat": {"invite", "shared", "can_join"},
		"public_chat": {"public", "shared", "forbidden"},
	}[preset]
	require.Equal(t, map[string]any{"join_rule": want[0]}, events[3].Content)
	require.Equal(t, map[string]any{"history_visibility": want[1]}, events[4].Content)
	require.Equal(t, map[string]any{"guest_access": want[2]}, events[5].Content)
	require.Equal(t, map[string]any{"membership": "invite", "is_direct": true}, events[7].Content)

	h.Act("bob", room, "join", slicetest.O{})
	h.Send("bob", room, "hello")
	status := h.Do("PUT", roomtest.At(room, "state/m.room.name/"), "bob", slicetest.O{"name": "Bob's"}).Status
	require.Equal(t, trusted, status == 200, "only who is trusted may name the room")
}

// TestOrderOfCreation: the request's events in the specification's order, each
// stronger than what it overrides.
func TestOrderOfCreation(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Create("alice", slicetest.O{
			"room_alias_name": "the pub#1", "topic": "All about <happy> hour", "name": "Pub",
			"creation_content":             slicetest.O{"m.federate": false, "creator": "@eve:hs1", "room_version": "1", "com.example.x": 1},
			"power_level_content_override": slicetest.O{"invite": 10, "users": slicetest.O{"@bob:hs1": 30}},
			"initial_state": slicetest.L{
				slicetest.O{"type": "m.room.join_rules", "content": slicetest.O{"join_rule": "knock"}},
				slicetest.O{"type": "m.room.name", "content": slicetest.O{"name": "overridden"}},
				slicetest.O{"type": "m.room.name", "state_key": "of a section", "content": slicetest.O{"name": "kept"}},
				slicetest.O{"type": "m.room.topic", "state_key": "", "content": slicetest.O{"topic": "overridden"}},
				slicetest.O{"type": "com.example.y", "state_key": "k", "content": slicetest.O{"a": 1}},
			},
			"invite": slicetest.L{slicetest.User("bob"), slicetest.User("carol"), slicetest.User("bob")},
		})
		events := h.History("alice", room)
		require.Equal(t, []string{
			"create", "member @alice:hs1", "power_levels", "canonical_alias", "history_visibility", "guest_access",
			"join_rules", "name of a section", "com.example.y k", "name", "topic", "member @bob:hs1", "member @carol:hs1",
		}, roomtest.Types(events))
		require.Equal(t, map[string]any{"m.federate": false, "room_version": "12", "com.example.x": 1.0}, events[0].Content)
		require.Equal(t, 10.0, events[2].Content["invite"])
		require.Equal(t, map[string]any{"@bob:hs1": 30.0}, events[2].Content["users"])
		require.Equal(t, 50.0, events[2].Content["ban"], "what is not overridden stays")
		require.Equal(t, map[string]any{"alias": "#the pub#1:hs1"}, events[3].Content)
		require.Equal(t, map[string]any{"join_rule": "knock"}, events[6].Content)
		require.Equal(t, "All about <happy> hour", events[10].Content["topic"])
		require.Equal(t, map[string]any{"m.text": []any{map[string]any{"body": "All about <happy> hour", "mimetype": "text/plain"}}}, events[10].Content["m.topic"])
		require.True(t, slices.IsSortedFunc(events, func(a, b roomtest.Event) int { return int(a.TS - b.TS) }))
		require.Equal(t, room, h.OK("POST", slicetest.Path("v3/join/{}", "#the pub#1:hs1"), "bob", slicetest.O{}).At("room_id"))
	})
}

func TestCreateRoomRefuses(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.Create("bob", slicetest.O{"room_alias_name": "taken"})
		var r roomtest.Rows
		post := func(name string, body any, status int, errcode string) {
			r.Add(name, "POST", roomtest.CreatePath, "alice", body, status, errcode)
		}
		state := func(typ string, content any) slicetest.O {
			return slicetest.O{"initial_state": slicetest.L{slicetest.O{"type": typ, "content": content}}}
		}
		post("no body", nil, 400, "M_NOT_JSON")
		post("what is not JSON", `{"name"`, 400, "M_NOT_JSON")
		post("a list", `[]`, 400, "M_BAD_JSON")
		post("another preset", slicetest.O{"preset": "open_house"}, 400, "M_BAD_JSON")
		post("another visibility", slicetest.O{"visibility": "secret"}, 400, "M_BAD_JSON")
		post("a list for creation content", slicetest.O{"creation_content": slicetest.L{}}, 400, "M_BAD_JSON")
		post("a list for power levels", slicetest.O{"power_level_content_override": slicetest.L{}}, 400, "M_BAD_JSON")
		post("state without a type", slicetest.O{"initial_state": slicetest.L{slicetest.O{"content": slicetest.O{}}}}, 400, "M_BAD_JSON")
		post("state without content", slicetest.O{"initial_state": slicetest.L{slicetest.O{"type": "t"}}}, 400, "M_BAD_JSON")
		post("a float in state", state("t", slicetest.O{"n": 1.5}), 400, "M_BAD_JSON")
		post("an invitation of nobody", slicetest.O{"invite": slicetest.L{"bob"}}, 400, "M_BAD_JSON")
		post("a version of nobody's", slicetest.O{"room_version": "13"}, 400, "M_UNSUPPORTED_ROOM_VERSION")
		post("an empty version", slicetest.O{"room_version": ""}, 400, "M_UNSUPPORTED_ROOM_VERSION")
		post("a number for a version", slicetest.O{"room_version": 1}, 400, "M_BAD_JSON")
		post("an alias that is taken", slicetest.O{"room_alias_name": "taken"}, 400, "M_ROOM_IN_USE")
		post("an empty alias", slicetest.O{"room_alias_name": ""}, 400, "M_INVALID_PARAM")
		post("an alias with a colon", slicetest.O{"room_alias_name": "a:b"}, 400, "M_INVALID_PARAM")
		post("an alias with NUL", slicetest.O{"room_alias_name": "a\x00"}, 400, "M_INVALID_PARAM")
		post("an alias of 256 bytes", slicetest.O{"room_alias_name": strings.Repeat("a", 256-len("#:hs1"))}, 400, "M_INVALID_PARAM")
		post("an invitation of the creator", slicetest.O{"invite": slicetest.L{slicetest.User("alice")}}, 400, "M_INVALID_ROOM_STATE")
		post("power that does not suffice for the name", slicetest.O{"room_version": "11", "name": "x",
			"power_level_content_override": slicetest.O{"users": slicetest.O{"@alice:hs1": 49}}}, 400, "M_INVALID_ROOM_STATE")
		post("a creator with a power level", slicetest.O{"power_level_content_override": slicetest.O{"users": slicetest.O{"@alice:hs1": 100}}}, 400, "M_INVALID_ROOM_STATE")
		post("power that is no number", slicetest.O{"power_level_content_override": slicetest.O{"ban": "fifty"}}, 400, "M_INVALID_ROOM_STATE")
		post("creators that are no users", slicetest.O{"creation_content": slicetest.O{"additional_creators": slicetest.L{"bob"}}}, 400, "M_INVALID_ROOM_STATE")
		for _, named := range []any{"bob", slicetest.L{"bob"}, slicetest.L{7}, slicetest.O{}, nil} {
			post(fmt.Sprint("creators that are ", named, ", and who is like them"), slicetest.O{"preset": "trusted_private_chat", "invite": slicetest.L{"@bob:hs1"},
				"creation_content": slicetest.O{"additional_creators": named}}, 400, "M_INVALID_ROOM_STATE")
		}
		post("a second beginning", state("m.room.create", slicetest.O{}), 400, "M_INVALID_ROOM_STATE")
		post("state under another's name", slicetest.O{"initial_state": slicetest.L{slicetest.O{"type": "t", "state_key": "@bob:hs1", "content": slicetest.O{}}}}, 400, "M_INVALID_ROOM_STATE")
		post("a name past all sense", slicetest.O{"name": strings.Repeat("n", 65536)}, 413, "M_TOO_LARGE")
		post("a type of 256 bytes", state(strings.Repeat("t", 256), slicetest.O{}), 413, "M_TOO_LARGE")
		post("somebody of elsewhere", slicetest.O{"invite": slicetest.L{"@bob:elsewhere"}}, 403, "M_FORBIDDEN")
		post("somebody of elsewhere, by state", slicetest.O{"initial_state": slicetest.L{slicetest.O{
			"type": "m.room.member", "state_key": "@bob:elsewhere", "content": slicetest.O{"membership": "invite"}}}}, 403, "M_FORBIDDEN")
		r.Add("no token", "POST", roomtest.CreatePath, "", slicetest.O{}, 401, "M_MISSING_TOKEN")
		slicetest.Table(t, h.Handler, r)
		require.Equal(t, `{"joined_rooms":[]}`, h.OK("GET", slicetest.Path("v3/joined_rooms"), "alice", nil).Body, "no half of a room")
	})
}

// TestCreateRoomLeavesOutBlockedInvitations: the room is made all the same, whichever
// way the user is invited.
//
// Spec: client-server "Invite permission".
func TestCreateRoomLeavesOutBlockedInvitations(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.SetAccountData("bob", "m.invite_permission_config", `{"default_action":"block"}`)
		for _, body := range []slicetest.O{
			{"invite": slicetest.L{slicetest.User("bob"), slicetest.User("carol")}},
			{"preset": "trusted_private_chat", "invite": slicetest.L{slicetest.User("bob"), slicetest.User("carol")}},
			{"invite": slicetest.L{slicetest.User("carol")}, "initial_state": slicetest.L{slicetest.O{
				"type": "m.room.member", "state_key": slicetest.User("bob"), "content": slicetest.O{"membership": "invite"}}}},
		} {
			types := roomtest.Types(h.History("alice", h.Create("alice", body)))
			require.Contains(t, types, "member @carol:hs1")
			require.NotContains(t, types, "member @bob:hs1")
		}
	})
}

// TestOneAliasIsGivenOnce: of many rooms that want one alias, one gets it.
func TestOneAliasIsGivenOnce(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		answers := make([]slicetest.Answer, 6)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				answers[i] = h.Do("POST", roomtest.CreatePath, fmt.Sprintf("user%d", i), slicetest.O{"room_alias_name": "pub"})
			})
		}
		all.Wait()
		var won []string
		for _, a := range answers {
			if a.Status == 200 {
				won = append(won, a.At("room_id"))
				continue
			}
			require.Equal(t, "M_ROOM_IN_USE", a.At("errcode"), a)
		}
		require.Len(t, won, 1)
		require.NoError(t, h.DB.Read(t.Context(), func(tx *storage.Reader) error {
			alias, err := tx.Alias(t.Context(), "#pub:hs1")
			require.NoError(t, err)
			rooms, err := tx.RoomIDs(t.Context(), []int64{alias.RoomNID})
			require.EqualValues(t, won[0], rooms[alias.RoomNID])
			return err
		}))
	})
}

// TestAlikeRoomsAreTwo: rooms made alike at one instant.
func TestAlikeRoomsAreTwo(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	seen := map[string]bool{}
	for n := range 3 * 12 {
		room := h.Create("alice", slicetest.O{"room_version": strconv.Itoa(n%12 + 1)})
		require.False(t, seen[room])
		seen[room] = true
	}
	require.Len(t, strings.Split(h.OK("GET", slicetest.Path("v3/joined_rooms"), "alice", nil).At("joined_rooms"), ","), 36)
}

// TestANewRoomIsBounded in its events and in their bytes, so that the transaction
// that makes it is short.
func TestANewRoomIsBounded(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		state := func(n, size int) (out []slicetest.O) {
			for i := range n {
				out = append(out, slicetest.O{"type": "m.test", "state_key": strconv.Itoa(i), "content": slicetest.O{"x": strings.Repeat("x", size)}})
			}
			return out
		}
		var invite []string
		for i := range 56 {
			invite = append(invite, string(slicetest.User("user"+strconv.Itoa(i))))
		}
		room := h.Create("alice", slicetest.O{"initial_state": state(200, 1), "invite": invite})
		require.Len(t, roomtest.List(t, h.OK("GET", roomtest.At(room, "members?membership=invite"), "alice", nil).At("chunk")), 56)
		h.Send("alice", room, "hello")
		for name, body := range map[string]slicetest.O{
			"events":             {"initial_state": state(257, 1)},
			"events and members": {"initial_state": state(201, 1), "invite": invite},
			"bytes":              {"initial_state": state(18, 60_000)},
		} {
			a := h.Do("POST", roomtest.CreatePath, "alice", body)
			require.Equal(t, 413, a.Status, "%s: %s", name, a)
			require.Equal(t, "M_TOO_LARGE", a.At("errcode"), name)
		}
		h.Create("alice", slicetest.O{"initial_state": state(16, 60_000)})
		rooms := h.OK("GET", slicetest.Path("v3/joined_rooms"), "alice", nil).At("joined_rooms")
		require.Equal(t, 1, strings.Count(rooms, ","))
	})
}

// TestCreatorsInPowerLevels: clients that do not know that creators are above
// all levels give them one; where that is served, it is left out. A client that
// sets the levels of a room that is there is told.
//
// Spec: room version 12, rule 10.4.
func TestCreatorsInPowerLevels(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		body := func(version string, users slicetest.O) slicetest.O {
			return slicetest.O{
				"room_version": version, "creation_content": slicetest.O{"additional_creators": slicetest.L{slicetest.User("carol")}},
				"power_level_content_override": slicetest.O{"users": users, "invite": 20},
			}
		}
		users := slicetest.O{"@alice:hs1": 100, "@bob:hs1": 50, "@carol:hs1": 90}
		a := h.Do("POST", roomtest.CreatePath, "alice", body("12", users))
		require.Equal(t, 400, a.Status, a)
		require.Equal(t, "M_INVALID_ROOM_STATE", a.At("errcode"))

		noted := 0
		h.Server = h.Another(func(d *roomtest.Deps) {
			d.RoomCreate.CreatorPowerLevel = func(context.Context) bool { noted++; return true }
		})
		levels := func(room string) slicetest.Answer { return h.State("alice", room, "m.room.power_levels", "") }

		room := h.Create("alice", body("12", users))
		require.Equal(t, 1, noted)
		require.JSONEq(t, `{"@bob:hs1":50}`, levels(room).At("users"))
		require.Equal(t, "20", levels(room).At("invite"))
		h.Create("alice", body("12", slicetest.O{"@bob:hs1": 50}))
		require.Equal(t, 1, noted, "no creator is named")
		room = h.Create("alice", body("11", users))
		require.Equal(t, 1, noted, "creators are no more than others")
		require.Equal(t, "100", levels(room).At("users", "@alice:hs1"))

		room = h.Create("alice", slicetest.O{})
		a = h.Do("PUT", roomtest.At(room, "state/m.room.power_levels/"), "alice", slicetest.O{"users": slicetest.O{"@alice:hs1": 100}})
		require.Equal(t, 400, a.Status, a)
		for name, override := range map[string]any{
			"users that are a list":  slicetest.O{"users": slicetest.L{}},
			"an override that is no": slicetest.L{},
		} {
			require.Equal(t, 400, h.Do("POST", roomtest.CreatePath, "alice", slicetest.O{"power_level_content_override": override}).Status, name)
		}
	})
}

// TestRoomsAfterAClockWasAhead are of the present, and no event has an age that
// is negative.
func TestRoomsAfterAClockWasAhead(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		start := h.Clock.Now()
		h.Clock.Advance(time.Hour)
		ahead := h.Create("alice", slicetest.O{})
		event := h.Send("alice", ahead, "from the future")
		h.Clock.Set(start)
		a := h.OK("GET", roomtest.At(ahead, "event/{}", event), "alice", nil)
		require.Equal(t, "0", a.At("unsigned", "age"))
		for range 3 {
			room := h.Create("alice", slicetest.O{})
			first := h.History("alice", room)[0]
			require.LessOrEqual(t, first.TS, start.UnixMilli()+3)
		}
	})
}
