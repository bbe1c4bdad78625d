// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// TestMembershipsRefused is what each operation answers to whom it refuses. In
// the room of alice, bob is a member, carol is invited, dan is banned, eve has
// left, and frank never was there.
func TestMembershipsRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		room := h.create("alice", slicetest.O{"invite": slicetest.L{slicetest.User("bob"), slicetest.User("carol"), slicetest.User("eve")}})
		h.act("bob", room, "join", slicetest.O{})
		h.act("eve", room, "join", slicetest.O{})
		h.act("eve", room, "leave", slicetest.O{})
		h.act("alice", room, "ban", target("dan"))
		none := "!none"
		var r rows
		for _, op := range []string{"invite", "kick", "ban", "unban"} {
			path := at(room, op)
			post := func(name, token string, body any, status int, errcode string) {
				r.add(op+": "+name, "POST", path, token, body, status, errcode)
			}
			post("no token", "", target("bob"), 401, "M_MISSING_TOKEN")
			post("no body", "alice", nil, 400, "M_NOT_JSON")
			post("nobody named", "alice", slicetest.O{}, 400, "M_BAD_JSON")
			post("what is no user", "alice", slicetest.O{"user_id": "bob"}, 400, "M_BAD_JSON")
			post("a number for a reason", "alice", slicetest.O{"user_id": "@bob:hs1", "reason": 7}, 400, "M_BAD_JSON")
			post("a stranger", "frank", target("bob"), 403, "M_FORBIDDEN")
			post("who is only invited", "carol", target("bob"), 403, "M_FORBIDDEN")
			post("who has left", "eve", target("bob"), 403, "M_FORBIDDEN")
			post("who is banned", "dan", target("bob"), 403, "M_FORBIDDEN")
			r.add(op+": a room of nobody's", "POST", at(none, op), "alice", target("bob"), 403, "M_FORBIDDEN")
			r.add(op+": what is no room", "POST", at("room", op), "alice", target("bob"), 400, "M_INVALID_PARAM")
			r.add(op+": an alias", "POST", at("#room:hs1", op), "alice", target("bob"), 400, "M_INVALID_PARAM")
		}
		post := func(name, op, token string, body any, status int, errcode string) {
			r.add(op+": "+name, "POST", at(room, op), token, body, status, errcode)
		}
		post("a member", "invite", "alice", target("bob"), 403, "M_FORBIDDEN")
		post("oneself", "invite", "alice", target("alice"), 403, "M_FORBIDDEN")
		post("who is banned, to come", "invite", "alice", target("dan"), 403, "M_FORBIDDEN")
		post("somebody of elsewhere", "invite", "alice", slicetest.O{"user_id": "@bob:elsewhere"}, 403, "M_FORBIDDEN")
		post("who is invited already", "invite", "alice", target("carol"), 200, "")
		post("without the power", "kick", "bob", target("alice"), 403, "M_FORBIDDEN")
		post("who never was there", "kick", "alice", target("frank"), 403, "M_FORBIDDEN")
		post("who has left, again", "kick", "alice", target("eve"), 403, "M_FORBIDDEN")
		post("who is banned, out", "kick", "alice", target("dan"), 403, "M_FORBIDDEN")
		post("without the power", "ban", "bob", target("eve"), 403, "M_FORBIDDEN")
		post("without the power", "unban", "bob", target("dan"), 403, "M_FORBIDDEN")
		post("without the power, who is not banned", "unban", "bob", target("frank"), 403, "M_FORBIDDEN")
		post("a member", "unban", "alice", target("bob"), 403, "M_BAD_STATE")
		post("who never was there", "unban", "alice", target("frank"), 403, "M_BAD_STATE")
		post("who has left", "unban", "alice", target("eve"), 403, "M_BAD_STATE")
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
		r.add("join: a room of nobody's", "POST", at(none, "join"), "bob", slicetest.O{}, 404, "M_NOT_FOUND")
		r.add("join: a room of nobody's by its ID", "POST", slicetest.Path("v3/join/{}", none), "bob", slicetest.O{}, 404, "M_NOT_FOUND")
		r.add("join: an alias of nobody's", "POST", slicetest.Path("v3/join/{}", "#none:hs1"), "bob", slicetest.O{}, 404, "M_NOT_FOUND")
		r.add("join: neither a room nor an alias", "POST", slicetest.Path("v3/join/{}", "room"), "bob", slicetest.O{}, 400, "M_INVALID_PARAM")
		r.add("join: an alias without a server", "POST", slicetest.Path("v3/join/{}", "#room"), "bob", slicetest.O{}, 400, "M_INVALID_PARAM")
		r.add("leave: a room of nobody's", "POST", at(none, "leave"), "bob", slicetest.O{}, 403, "M_FORBIDDEN")
		r.add("forget: a room of nobody's", "POST", at(none, "forget"), "bob", slicetest.O{}, 403, "M_FORBIDDEN")
		before := h.history("alice", room)
		slicetest.Table(t, h.router, r)
		require.Len(t, h.history("alice", room), len(before)+1, "only the second invitation of carol has made an event")
	})
}

// TestStrangersLearnNothing: what is wrong with a request is told to whoever
// may see it.
func TestStrangersLearnNothing(t *testing.T) {
	h := newHouse(t, storagetest.Open(t))
	room := h.create("alice", slicetest.O{"invite": slicetest.L{slicetest.User("bob")}})
	h.act("bob", room, "join", slicetest.O{})
	h.act("alice", room, "ban", target("dan"))
	for _, op := range []string{"kick", "unban"} {
		var errors []string
		for _, name := range []string{"bob", "dan", "nobody"} {
			errors = append(errors, h.do("POST", at(room, op), "frank", target(name)).At("error"))
		}
		require.Equal(t, errors[0], errors[1], op)
		require.Equal(t, errors[0], errors[2], op)
	}
}

func TestMemberships(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		room := h.create("alice", slicetest.O{"room_alias_name": "room"})
		last := func() clientEvent {
			events := h.history("alice", room)
			return events[len(events)-1]
		}
		why := func(name string) slicetest.O {
			return slicetest.O{"user_id": slicetest.User(name), "reason": "why <not>"}
		}
		h.act("alice", room, "invite", why("bob"))
		require.Equal(t, map[string]any{"membership": "invite", "reason": "why <not>"}, last().Content)
		h.act("bob", room, "leave", slicetest.O{"reason": "no time"})
		require.Equal(t, map[string]any{"membership": "leave", "reason": "no time"}, last().Content)
		require.EqualValues(t, "@bob:hs1", last().Sender)
		h.act("alice", room, "invite", target("bob"))
		require.Equal(t, room, h.ok("POST", slicetest.Path("v3/join/{}", "#room:hs1"), "bob", slicetest.O{"reason": "time now"}).At("room_id"))
		require.Equal(t, map[string]any{"membership": "join", "reason": "time now"}, last().Content)
		joined := last().ID
		require.Equal(t, room, h.ok("POST", at(room, "join"), "bob", slicetest.O{"reason": "again"}).At("room_id"))
		require.Equal(t, joined, last().ID, "whoever is there need not join")
		h.act("alice", room, "kick", why("bob"))
		require.Equal(t, map[string]any{"membership": "leave", "reason": "why <not>"}, last().Content)
		require.EqualValues(t, "@alice:hs1", last().Sender)
		h.act("alice", room, "invite", target("bob"))
		h.act("alice", room, "kick", target("bob"))
		require.Equal(t, "leave", h.membership(room, "bob"), "an invitation is taken back by a kick")
		h.act("alice", room, "ban", why("bob"))
		require.Equal(t, map[string]any{"membership": "ban", "reason": "why <not>"}, last().Content)
		h.act("alice", room, "ban", target("bob"))
		h.act("alice", room, "unban", why("bob"))
		require.Equal(t, map[string]any{"membership": "leave", "reason": "why <not>"}, last().Content)
		h.act("alice", room, "ban", target("nobody"))
		require.Equal(t, "ban", h.membership(room, "nobody"), "also who never was there")
		h.act("alice", room, "leave", slicetest.O{})
		require.Equal(t, `{"joined_rooms":[]}`, h.ok("GET", slicetest.Path("v3/joined_rooms"), "alice", nil).Body)
	})
}

// TestForgetting: who has forgotten a room retrieves no more of it, until they
// are there again.
func TestForgetting(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		room := h.public("bob")
		event := h.send("alice", room, "hello")
		h.act("bob", room, "leave", slicetest.O{})
		h.ok("GET", at(room, "event/{}", event), "bob", nil)
		h.act("bob", room, "forget", slicetest.O{})
		h.act("bob", room, "forget", slicetest.O{})
		var r rows
		r.add("an event", "GET", at(room, "event/{}", event), "bob", nil, 404, "M_NOT_FOUND")
		for _, path := range []string{"state", "state/m.room.create/", "members", "joined_members", "messages?dir=b"} {
			r.add(path, "GET", at(room, path), "bob", nil, 403, "M_FORBIDDEN")
		}
		slicetest.Table(t, h.router, r)
		h.act("bob", room, "join", slicetest.O{})
		h.ok("GET", at(room, "event/{}", event), "bob", nil)
		h.act("alice", room, "ban", target("bob"))
		h.act("bob", room, "forget", slicetest.O{})
	})
}

// TestRestrictedRooms: members of the rooms that are named may join, whatever
// else stands in the list.
func TestRestrictedRooms(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, version := range []string{"8", "10", "12"} {
			lobby, other := h.public("bob", "dan"), h.public("carol")
			h.act("dan", lobby, "leave", slicetest.O{})
			room := h.create("alice", slicetest.O{"room_version": version, "initial_state": slicetest.L{slicetest.O{
				"type": "m.room.join_rules", "content": slicetest.O{"join_rule": "restricted", "allow": slicetest.L{
					"nonsense", 7, slicetest.O{"type": "m.room_membership"}, slicetest.O{"type": "m.room_membership", "room_id": "nonsense"},
					slicetest.O{"type": "org.example.age", "room_id": other}, slicetest.O{"type": "m.room_membership", "room_id": "!unknown:hs1"},
					slicetest.O{"type": "m.room_membership", "room_id": lobby},
				}}}}})
			h.act("bob", room, "join", slicetest.O{})
			require.Equal(t, "@alice:hs1", h.state("alice", room, "m.room.member", "@bob:hs1").At("join_authorised_via_users_server"), version)
			var r rows
			r.add("a member of another room", "POST", at(room, "join"), "carol", slicetest.O{}, 403, "M_FORBIDDEN")
			r.add("who has left the room that counts", "POST", at(room, "join"), "dan", slicetest.O{}, 403, "M_FORBIDDEN")
			r.add("whom nobody vouches for", "PUT", at(room, "state/m.room.member/@carol:hs1"), "carol", slicetest.O{"membership": "join"}, 403, "M_FORBIDDEN")
			claim := func(voucher string) slicetest.O {
				return slicetest.O{"membership": "join", "displayname": "X", "join_authorised_via_users_server": voucher}
			}
			r.add("who names somebody to vouch", "PUT", at(room, "state/m.room.member/@carol:hs1"), "carol", claim("@alice:hs1"), 403, "M_FORBIDDEN")
			r.add("who is in already", "PUT", at(room, "state/m.room.member/@bob:hs1"), "bob", claim("@alice:hs1"), 200, "")
			r.add("whatever stands there", "PUT", at(room, "state/m.room.member/@bob:hs1"), "bob", claim("nobody"), 200, "")
			slicetest.Table(t, h.router, r)
			now := h.state("alice", room, "m.room.member", "@bob:hs1")
			require.Equal(t, []string{"X", ""}, []string{now.At("displayname"), now.At("join_authorised_via_users_server")}, version)
			h.act("bob", room, "leave", slicetest.O{})
			h.set("bob", room, "m.room.member", "@bob:hs1", slicetest.O{"membership": "join"})
			require.Equal(t, "@alice:hs1", h.state("alice", room, "m.room.member", "@bob:hs1").At("join_authorised_via_users_server"), "by state as by a join")
			h.act("alice", room, "invite", target("carol"))
			h.act("carol", room, "join", slicetest.O{})
			h.act("alice", room, "ban", target("bob"))
			require.Equal(t, 403, h.do("POST", at(room, "join"), "bob", slicetest.O{}).Status)
		}
	})
}

// TestGuestsJoin where the room lets them, by whatever operation.
func TestGuestsJoin(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		shut := h.public()
		unsaid := h.create("alice", slicetest.O{"preset": "public_chat", "initial_state": slicetest.L{
			slicetest.O{"type": "m.room.guest_access", "content": slicetest.O{}}}})
		open := h.create("alice", slicetest.O{"preset": "public_chat", "initial_state": slicetest.L{
			slicetest.O{"type": "m.room.guest_access", "content": slicetest.O{"guest_access": "can_join"}}}})
		var r rows
		for name, room := range map[string]string{"forbidden": shut, "unsaid": unsaid} {
			r.add(name, "POST", at(room, "join"), "guest", slicetest.O{}, 403, "M_GUEST_ACCESS_FORBIDDEN")
			r.add(name+", by state", "PUT", at(room, "state/m.room.member/@guest:hs1"), "guest", ` { "membership" : "join" } `, 403, "M_GUEST_ACCESS_FORBIDDEN")
			r.add(name+", a user", "POST", at(room, "join"), "bob", slicetest.O{}, 200, "")
		}
		r.add("allowed", "POST", at(open, "join"), "guest", slicetest.O{}, 200, "")
		r.add("allowed, by state", "PUT", at(open, "state/m.room.member/@guest2:hs1"), "guest2", slicetest.O{"membership": "join"}, 200, "")
		r.add("a guest leaves", "POST", at(open, "leave"), "guest", slicetest.O{}, 200, "")
		slicetest.Table(t, h.router, r)
	})
}

// TestGuestsAreDismissed when the room is shut to them, by themselves and in
// the same commit. Whoever is no guest, or not in the room, stays as it is.
func TestGuestsAreDismissed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for user, kind := range map[string]string{"alice": "user", "bob": "user", "guest1": "guest", "guest2": "guest", "guest3": "guest"} {
			require.NoError(t, h.DB.Write(t.Context(), func(tx *storage.Writer) error {
				return tx.InsertUser(t.Context(), &storage.User{ID: slicetest.User(user), Kind: kind})
			}))
		}
		opened := slicetest.O{"guest_access": "can_join"}
		for name, shut := range map[string]slicetest.O{
			"forbidden": {"guest_access": "forbidden"}, "nothing": {}, "nonsense": {"guest_access": slicetest.L{"can_join"}},
		} {
			room := h.create("alice", slicetest.O{"preset": "public_chat", "initial_state": slicetest.L{
				slicetest.O{"type": "m.room.guest_access", "content": opened}}})
			for _, user := range []string{"bob", "guest1", "guest2", "guest3"} {
				h.act(user, room, "join", slicetest.O{})
			}
			h.act("guest3", room, "leave", slicetest.O{})
			set := func(content slicetest.O) string { return h.set("alice", room, "m.room.guest_access", "", content) }
			set(slicetest.O{"guest_access": "can_join", "x": 1})
			require.Equal(t, "join", h.membership(room, "guest1"), "it is still open")

			sent := set(shut)
			for user, want := range map[string]string{"alice": "join", "bob": "join", "guest1": "leave", "guest2": "leave", "guest3": "leave"} {
				require.Equal(t, want, h.membership(room, user), "%s, %s", name, user)
			}
			last := func() []clientEvent {
				return list(t, h.ok("GET", at(room, "messages?dir=b&limit=4"), "alice", nil).At("chunk"))
			}
			page := last()
			require.Equal(t, []id.UserID{"@guest2:hs1", "@guest1:hs1", "@alice:hs1"}, []id.UserID{page[0].Sender, page[1].Sender, page[2].Sender}, name)
			require.Equal(t, id.EventID(sent), page[2].ID)

			again := set(slicetest.O{"guest_access": "forbidden", "again": 1})
			require.Equal(t, id.EventID(again), last()[0].ID, "nobody leaves twice")
			open := set(opened)
			h.act("guest1", room, "join", slicetest.O{})
			h.ok("PUT", at(room, "redact/{}/{}", again, name), "alice", slicetest.O{})
			require.Equal(t, "join", h.membership(room, "guest1"), "what does not let him in any more")
			h.ok("PUT", at(room, "redact/{}/{}", open, name), "alice", slicetest.O{})
			require.Equal(t, "leave", h.membership(room, "guest1"), "what let him in is redacted")
		}
	})
}

// TestGuestsAtTheDoor when it shuts: whoever comes in by the same commit leaves
// by it, and nobody is left inside.
func TestGuestsAtTheDoor(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		guests := []string{"guest1", "guest2", "guest3", "guest4", "guest5", "guest6"}
		for _, guest := range guests {
			require.NoError(t, h.DB.Write(t.Context(), func(tx *storage.Writer) error {
				return tx.InsertUser(t.Context(), &storage.User{ID: slicetest.User(guest), Kind: "guest"})
			}))
		}
		for range 5 {
			room := h.create("alice", slicetest.O{"preset": "public_chat", "initial_state": slicetest.L{
				slicetest.O{"type": "m.room.guest_access", "content": slicetest.O{"guest_access": "can_join"}}}})
			var all sync.WaitGroup
			for i, guest := range guests {
				all.Go(func() {
					if a := h.do("POST", at(room, "join"), guest, slicetest.O{}); a.Status != 200 && a.Status != 403 {
						t.Error(a)
					}
				})
				if i == len(guests)/2 {
					all.Go(func() {
						a := h.do("PUT", at(room, "state/m.room.guest_access/"), "alice", slicetest.O{"guest_access": "forbidden"})
						if a.Status != 200 {
							t.Error(a)
						}
					})
				}
			}
			all.Wait()
			require.Equal(t, []string{"alice join"}, names(t, h.ok("GET", at(room, "members?membership=join"), "alice", nil).At("chunk")))
		}
	})
}

// TestJoinsAtOnce: a crowd comes in, each once.
func TestJoinsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		room := h.public()
		var all sync.WaitGroup
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			for range 2 {
				all.Go(func() {
					if a := h.do("POST", at(room, "join"), name, slicetest.O{}); a.Status != 200 {
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
		require.Len(t, h.history("alice", room), 6+6)
	})
}
