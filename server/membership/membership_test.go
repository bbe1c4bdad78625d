// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// TestMembershipsRefused is what each operation answers to whom it refuses. In
// the room of alice, bob is a member, carol is invited, dan is banned, eve has
// left, and frank never was there.
func TestMembershipsRefused(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Create("alice", slicetest.O{"invite": slicetest.L{slicetest.User("bob"), slicetest.User("carol"), slicetest.User("eve")}})
		h.Act("bob", room, "join", slicetest.O{})
		h.Act("eve", room, "join", slicetest.O{})
		h.Act("eve", room, "leave", slicetest.O{})
		h.Act("alice", room, "ban", roomtest.Target("dan"))
		none := "!none"
		var r roomtest.Rows
		for _, op := range []string{"invite", "kick", "ban", "unban"} {
			path := roomtest.At(room, op)
			post := func(name, token string, body any, status int, errcode string) {
				r.Add(op+": "+name, "POST", path, token, body, status, errcode)
			}
			post("no token", "", roomtest.Target("bob"), 401, "M_MISSING_TOKEN")
			post("no body", "alice", nil, 400, "M_NOT_JSON")
			post("nobody named", "alice", slicetest.O{}, 400, "M_BAD_JSON")
			post("what is no user", "alice", slicetest.O{"user_id": "bob"}, 400, "M_BAD_JSON")
			post("a number for a reason", "alice", slicetest.O{"user_id": "@bob:hs1", "reason": 7}, 400, "M_BAD_JSON")
			post("a stranger", "frank", roomtest.Target("bob"), 403, "M_FORBIDDEN")
			post("who is only invited", "carol", roomtest.Target("bob"), 403, "M_FORBIDDEN")
			post("who has left", "eve", roomtest.Target("bob"), 403, "M_FORBIDDEN")
			post("who is banned", "dan", roomtest.Target("bob"), 403, "M_FORBIDDEN")
			r.Add(op+": a room of nobody's", "POST", roomtest.At(none, op), "alice", roomtest.Target("bob"), 403, "M_FORBIDDEN")
			r.Add(op+": what is no room", "POST", roomtest.At("room", op), "alice", roomtest.Target("bob"), 400, "M_INVALID_PARAM")
			r.Add(op+": an alias", "POST", roomtest.At("#room:hs1", op), "alice", roomtest.Target("bob"), 400, "M_INVALID_PARAM")
		}
		post := func(name, op, token string, body any, status int, errcode string) {
			r.Add(op+": "+name, "POST", roomtest.At(room, op), token, body, status, errcode)
		}
		post("a member", "invite", "alice", roomtest.Target("bob"), 403, "M_FORBIDDEN")
		post("oneself", "invite", "alice", roomtest.Target("alice"), 403, "M_FORBIDDEN")
		post("who is banned, to come", "invite", "alice", roomtest.Target("dan"), 403, "M_FORBIDDEN")
		post("somebody of elsewhere", "invite", "alice", slicetest.O{"user_id": "@bob:elsewhere"}, 403, "M_FORBIDDEN")
		post("who is invited already", "invite", "alice", roomtest.Target("carol"), 200, "")
		post("without the power", "kick", "bob", roomtest.Target("alice"), 403, "M_FORBIDDEN")
		post("who never was there", "kick", "alice", roomtest.Target("frank"), 403, "M_FORBIDDEN")
		post("who has left, again", "kick", "alice", roomtest.Target("eve"), 403, "M_FORBIDDEN")
		post("who is banned, out", "kick", "alice", roomtest.Target("dan"), 403, "M_FORBIDDEN")
		post("without the power", "ban", "bob", roomtest.Target("eve"), 403, "M_FORBIDDEN")
		post("without the power", "unban", "bob", roomtest.Target("dan"), 403, "M_FORBIDDEN")
		post("without the power, who is not banned", "unban", "bob", roomtest.Target("frank"), 403, "M_FORBIDDEN")
		post("a member", "unban", "alice", roomtest.Target("bob"), 403, "M_BAD_STATE")
		post("who never was there", "unban", "alice", roomtest.Target("frank"), 403, "M_BAD_STATE")
		post("who has left", "unban", "alice", roomtest.Target("eve"), 403, "M_BAD_STATE")
		post("who was not invited", "join", "frank", slicetest.O{}, 403, "M_FORBIDDEN")
		post("who has left", "join", "eve", slicetest.O{}, 403, "M_FORBIDDEN")
		post("who is banned", "join", "dan", slicetest.O{}, 403, "M_FORBIDDEN")
		post("no token", "join", "", slicetest.O{}, 401, "M_MISSING_TOKEN")
		post("a number for a reason", "join", "bob", slicetest.O{"reason": 7}, 400, "M_BAD_JSON")
		post("a signature that is none", "join", "bob", slicetest.O{"third_party_signed": slicetest.O{}}, 400, "M_BAD_JSON")
		post("a member again", "join", "bob", slicetest.O{}, 200, "")
		post("who never was there", "leave", "frank", slicetest.O{}, 403, "M_FORBIDDEN")
		post("who has left", "leave", "eve", slicetest.O{}, 403, "M_FORBIDDEN")
		post("who is banned", "leave", "dan", slicetest.O{}, 403, "M_FORBIDDEN")
		post("no token", "leave", "", slicetest.O{}, 401, "M_MISSING_TOKEN")
		post("who is there", "forget", "bob", slicetest.O{}, 400, "M_UNKNOWN")
		post("who is invited", "forget", "carol", slicetest.O{}, 400, "M_UNKNOWN")
		post("who never was there", "forget", "frank", slicetest.O{}, 403, "M_FORBIDDEN")
		post("no token", "forget", "", slicetest.O{}, 401, "M_MISSING_TOKEN")
		r.Add("join: a room of nobody's", "POST", roomtest.At(none, "join"), "bob", slicetest.O{}, 404, "M_NOT_FOUND")
		r.Add("join: a room of nobody's by its ID", "POST", slicetest.Path("v3/join/{}", none), "bob", slicetest.O{}, 404, "M_NOT_FOUND")
		r.Add("join: an alias of nobody's", "POST", slicetest.Path("v3/join/{}", "#none:hs1"), "bob", slicetest.O{}, 404, "M_NOT_FOUND")
		r.Add("join: neither a room nor an alias", "POST", slicetest.Path("v3/join/{}", "room"), "bob", slicetest.O{}, 400, "M_INVALID_PARAM")
		r.Add("join: an alias without a server", "POST", slicetest.Path("v3/join/{}", "#room"), "bob", slicetest.O{}, 400, "M_INVALID_PARAM")
		r.Add("leave: a room of nobody's", "POST", roomtest.At(none, "leave"), "bob", slicetest.O{}, 403, "M_FORBIDDEN")
		r.Add("forget: a room of nobody's", "POST", roomtest.At(none, "forget"), "bob", slicetest.O{}, 403, "M_FORBIDDEN")
		before := h.History("alice", room)
		slicetest.Table(t, h.Handler, r)
		require.Len(t, h.History("alice", room), len(before)+1, "only the second invitation of carol has made an event")
	})
}

// TestStrangersLearnNothing: what is wrong with a request is told to whoever
// may see it.
func TestStrangersLearnNothing(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	room := h.Create("alice", slicetest.O{"invite": slicetest.L{slicetest.User("bob")}})
	h.Act("bob", room, "join", slicetest.O{})
	h.Act("alice", room, "ban", roomtest.Target("dan"))
	for _, op := range []string{"kick", "unban"} {
		var errors []string
		for _, name := range []string{"bob", "dan", "nobody"} {
			errors = append(errors, h.Do("POST", roomtest.At(room, op), "frank", roomtest.Target(name)).At("error"))
		}
		require.Equal(t, errors[0], errors[1], op)
		require.Equal(t, errors[0], errors[2], op)
	}
}

func TestMemberships(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Create("alice", slicetest.O{"room_alias_name": "room"})
		last := func() roomtest.Event {
			events := h.History("alice", room)
			return events[len(events)-1]
		}
		why := func(name string) slicetest.O {
			return slicetest.O{"user_id": slicetest.User(name), "reason": "why <not>"}
		}
		h.Act("alice", room, "invite", why("bob"))
		require.Equal(t, map[string]any{"membership": "invite", "reason": "why <not>"}, last().Content)
		h.Act("bob", room, "leave", slicetest.O{"reason": "no time"})
		require.Equal(t, map[string]any{"membership": "leave", "reason": "no time"}, last().Content)
		require.EqualValues(t, "@bob:hs1", last().Sender)
		h.Act("alice", room, "invite", roomtest.Target("bob"))
		require.Equal(t, room, h.OK("POST", slicetest.Path("v3/join/{}", "#room:hs1"), "bob", slicetest.O{"reason": "time now"}).At("room_id"))
		require.Equal(t, map[string]any{"membership": "join", "reason": "time now"}, last().Content)
		joined := last().ID
		require.Equal(t, room, h.OK("POST", roomtest.At(room, "join"), "bob", slicetest.O{"reason": "again"}).At("room_id"))
		require.Equal(t, joined, last().ID, "whoever is there need not join")
		h.Act("alice", room, "kick", why("bob"))
		require.Equal(t, map[string]any{"membership": "leave", "reason": "why <not>"}, last().Content)
		require.EqualValues(t, "@alice:hs1", last().Sender)
		h.Act("alice", room, "invite", roomtest.Target("bob"))
		h.Act("alice", room, "kick", roomtest.Target("bob"))
		require.Equal(t, "leave", h.Membership(room, "bob"), "an invitation is taken back by a kick")
		h.Act("alice", room, "ban", why("bob"))
		require.Equal(t, map[string]any{"membership": "ban", "reason": "why <not>"}, last().Content)
		h.Act("alice", room, "ban", roomtest.Target("bob"))
		h.Act("alice", room, "unban", why("bob"))
		require.Equal(t, map[string]any{"membership": "leave", "reason": "why <not>"}, last().Content)
		h.Act("alice", room, "ban", roomtest.Target("nobody"))
		require.Equal(t, "ban", h.Membership(room, "nobody"), "also who never was there")
		h.Act("alice", room, "leave", slicetest.O{})
		require.Equal(t, `{"joined_rooms":[]}`, h.OK("GET", slicetest.Path("v3/joined_rooms"), "alice", nil).Body)
	})
}

// TestForgetting: who has forgotten a room retrieves no more of it, until they
// are there again.
func TestForgetting(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public("bob")
		event := h.Send("alice", room, "hello")
		h.Act("bob", room, "leave", slicetest.O{})
		h.OK("GET", roomtest.At(room, "event/{}", event), "bob", nil)
		h.Act("bob", room, "forget", slicetest.O{})
		h.Act("bob", room, "forget", slicetest.O{})
		var r roomtest.Rows
		r.Add("an event", "GET", roomtest.At(room, "event/{}", event), "bob", nil, 404, "M_NOT_FOUND")
		for _, path := range []string{"state", "state/m.room.create/", "members", "joined_members", "messages?dir=b"} {
			r.Add(path, "GET", roomtest.At(room, path), "bob", nil, 403, "M_FORBIDDEN")
		}
		slicetest.Table(t, h.Handler, r)
		h.Act("bob", room, "join", slicetest.O{})
		h.OK("GET", roomtest.At(room, "event/{}", event), "bob", nil)
		h.Act("alice", room, "ban", roomtest.Target("bob"))
		h.Act("bob", room, "forget", slicetest.O{})
	})
}

// TestRestrictedRooms: members of the rooms that are named may join, whatever
// else stands in the list.
func TestRestrictedRooms(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, version := range []string{"8", "10", "12"} {
			lobby, other := h.Public("bob", "dan"), h.Public("carol")
			h.Act("dan", lobby, "leave", slicetest.O{})
			room := h.Create("alice", slicetest.O{"room_version": version, "initial_state": slicetest.L{slicetest.O{
				"type": "m.room.join_rules", "content": slicetest.O{"join_rule": "restricted", "allow": slicetest.L{
					"nonsense", 7, slicetest.O{"type": "m.room_membership"}, slicetest.O{"type": "m.room_membership", "room_id": "nonsense"},
					slicetest.O{"type": "org.example.age", "room_id": other}, slicetest.O{"type": "m.room_membership", "room_id": "!unknown:hs1"},
					slicetest.O{"type": "m.room_membership", "room_id": lobby},
				}}}}})
			h.Act("bob", room, "join", slicetest.O{})
			require.Equal(t, "@alice:hs1", h.State("alice", room, "m.room.member", "@bob:hs1").At("join_authorised_via_users_server"), version)
			var r roomtest.Rows
			r.Add("a member of another room", "POST", roomtest.At(room, "join"), "carol", slicetest.O{}, 403, "M_FORBIDDEN")
			r.Add("who has left the room that counts", "POST", roomtest.At(room, "join"), "dan", slicetest.O{}, 403, "M_FORBIDDEN")
			r.Add("whom nobody vouches for", "PUT", roomtest.At(room, "state/m.room.member/@carol:hs1"), "carol", slicetest.O{"membership": "join"}, 403, "M_FORBIDDEN")
			claim := func(voucher string) slicetest.O {
				return slicetest.O{"membership": "join", "displayname": "X", "join_authorised_via_users_server": voucher}
			}
			r.Add("who names somebody to vouch", "PUT", roomtest.At(room, "state/m.room.member/@carol:hs1"), "carol", claim("@alice:hs1"), 403, "M_FORBIDDEN")
			r.Add("who is in already", "PUT", roomtest.At(room, "state/m.room.member/@bob:hs1"), "bob", claim("@alice:hs1"), 200, "")
			r.Add("whatever stands there", "PUT", roomtest.At(room, "state/m.room.member/@bob:hs1"), "bob", claim("nobody"), 200, "")
			slicetest.Table(t, h.Handler, r)
			now := h.State("alice", room, "m.room.member", "@bob:hs1")
			require.Equal(t, []string{"X", ""}, []string{now.At("displayname"), now.At("join_authorised_via_users_server")}, version)
			h.Act("bob", room, "leave", slicetest.O{})
			h.Set("bob", room, "m.room.member", "@bob:hs1", slicetest.O{"membership": "join"})
			require.Equal(t, "@alice:hs1", h.State("alice", room, "m.room.member", "@bob:hs1").At("join_authorised_via_users_server"), "by state as by a join")
			h.Act("alice", room, "invite", roomtest.Target("carol"))
			h.Act("carol", room, "join", slicetest.O{})
			h.Act("alice", room, "ban", roomtest.Target("bob"))
			require.Equal(t, 403, h.Do("POST", roomtest.At(room, "join"), "bob", slicetest.O{}).Status)
		}
	})
}

// TestGuestsJoin where the room lets them, by whatever operation.
func TestGuestsJoin(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		shut := h.Public()
		unsaid := h.Create("alice", slicetest.O{"preset": "public_chat", "initial_state": slicetest.L{
			slicetest.O{"type": "m.room.guest_access", "content": slicetest.O{}}}})
		open := h.Create("alice", slicetest.O{"preset": "public_chat", "initial_state": slicetest.L{
			slicetest.O{"type": "m.room.guest_access", "content": slicetest.O{"guest_access": "can_join"}}}})
		var r roomtest.Rows
		for name, room := range map[string]string{"forbidden": shut, "unsaid": unsaid} {
			r.Add(name, "POST", roomtest.At(room, "join"), "guest", slicetest.O{}, 403, "M_GUEST_ACCESS_FORBIDDEN")
			r.Add(name+", by state", "PUT", roomtest.At(room, "state/m.room.member/@guest:hs1"), "guest", ` { "membership" : "join" } `, 403, "M_GUEST_ACCESS_FORBIDDEN")
			r.Add(name+", a user", "POST", roomtest.At(room, "join"), "bob", slicetest.O{}, 200, "")
		}
		r.Add("allowed", "POST", roomtest.At(open, "join"), "guest", slicetest.O{}, 200, "")
		r.Add("allowed, by state", "PUT", roomtest.At(open, "state/m.room.member/@guest2:hs1"), "guest2", slicetest.O{"membership": "join"}, 200, "")
		r.Add("a guest leaves", "POST", roomtest.At(open, "leave"), "guest", slicetest.O{}, 200, "")
		slicetest.Table(t, h.Handler, r)
	})
}

// TestGuestsAreDismissed when the room is shut to them, by themselves and in
// the same commit. Whoever is no guest, or not in the room, stays as it is.
func TestGuestsAreDismissed(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for user, kind := range map[string]string{"alice": "user", "bob": "user", "guest1": "guest", "guest2": "guest", "guest3": "guest"} {
			require.NoError(t, h.DB.Write(t.Context(), func(tx *storage.Writer) error {
				return tx.InsertUser(t.Context(), &storage.User{ID: slicetest.User(user), Kind: kind})
			}))
		}
		opened := slicetest.O{"guest_access": "can_join"}
		for name, shut := range map[string]slicetest.O{
			"forbidden": {"guest_access": "forbidden"}, "nothing": {}, "nonsense": {"guest_access": slicetest.L{"can_join"}},
		} {
			room := h.Create("alice", slicetest.O{"preset": "public_chat", "initial_state": slicetest.L{
				slicetest.O{"type": "m.room.guest_access", "content": opened}}})
			for _, user := range []string{"bob", "guest1", "guest2", "guest3"} {
				h.Act(user, room, "join", slicetest.O{})
			}
			h.Act("guest3", room, "leave", slicetest.O{})
			set := func(content slicetest.O) string { return h.Set("alice", room, "m.room.guest_access", "", content) }
			set(slicetest.O{"guest_access": "can_join", "x": 1})
			require.Equal(t, "join", h.Membership(room, "guest1"), "it is still open")

			sent := set(shut)
			for user, want := range map[string]string{"alice": "join", "bob": "join", "guest1": "leave", "guest2": "leave", "guest3": "leave"} {
				require.Equal(t, want, h.Membership(room, user), "%s, %s", name, user)
			}
			last := func() []roomtest.Event {
				return roomtest.List(t, h.OK("GET", roomtest.At(room, "messages?dir=b&limit=4"), "alice", nil).At("chunk"))
			}
			page := last()
			require.Equal(t, []id.UserID{"@guest2:hs1", "@guest1:hs1", "@alice:hs1"}, []id.UserID{page[0].Sender, page[1].Sender, page[2].Sender}, name)
			require.Equal(t, id.EventID(sent), page[2].ID)

			again := set(slicetest.O{"guest_access": "forbidden", "again": 1})
			require.Equal(t, id.EventID(again), last()[0].ID, "nobody leaves twice")
			open := set(opened)
			h.Act("guest1", room, "join", slicetest.O{})
			h.OK("PUT", roomtest.At(room, "redact/{}/{}", again, name), "alice", slicetest.O{})
			require.Equal(t, "join", h.Membership(room, "guest1"), "what does not let him in any more")
			h.OK("PUT", roomtest.At(room, "redact/{}/{}", open, name), "alice", slicetest.O{})
			require.Equal(t, "leave", h.Membership(room, "guest1"), "what let him in is redacted")
		}
	})
}

// TestGuestsAtTheDoor when it shuts: whoever comes in by the same commit leaves
// by it, and nobody is left inside.
func TestGuestsAtTheDoor(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		guests := []string{"guest1", "guest2", "guest3", "guest4", "guest5", "guest6"}
		for _, guest := range guests {
			require.NoError(t, h.DB.Write(t.Context(), func(tx *storage.Writer) error {
				return tx.InsertUser(t.Context(), &storage.User{ID: slicetest.User(guest), Kind: "guest"})
			}))
		}
		for range 5 {
			room := h.Create("alice", slicetest.O{"preset": "public_chat", "initial_state": slicetest.L{
				slicetest.O{"type": "m.room.guest_access", "content": slicetest.O{"guest_access": "can_join"}}}})
			var all sync.WaitGroup
			for i, guest := range guests {
				all.Go(func() {
					if a := h.Do("POST", roomtest.At(room, "join"), guest, slicetest.O{}); a.Status != 200 && a.Status != 403 {
						t.Error(a)
					}
				})
				if i == len(guests)/2 {
					all.Go(func() {
						a := h.Do("PUT", roomtest.At(room, "state/m.room.guest_access/"), "alice", slicetest.O{"guest_access": "forbidden"})
						if a.Status != 200 {
							t.Error(a)
						}
					})
				}
			}
			all.Wait()
			require.Equal(t, []string{"alice join"}, roomtest.Names(t, h.OK("GET", roomtest.At(room, "members?membership=join"), "alice", nil).At("chunk")))
		}
	})
}

// TestJoinsAtOnce: a crowd comes in, each once.
func TestJoinsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public()
		var all sync.WaitGroup
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			for range 2 {
				all.Go(func() {
					if a := h.Do("POST", roomtest.At(room, "join"), name, slicetest.O{}); a.Status != 200 {
						t.Error(a)
					}
				})
			}
		}
		all.Wait()
		require.NoError(t, h.DB.Read(t.Context(), func(tx *storage.Reader) error {
			room, err := tx.Room(t.Context(), id.RoomID(room))
			require.NoError(t, err)
			members, err := tx.LocalMembers(t.Context(), room.NID, "join")
			require.Len(t, members, 7)
			return err
		}))
		require.Len(t, h.History("alice", room), 6+6)
	})
}
