// SPDX-License-Identifier: Apache-2.0

package push_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/push"
	"touchstone.example/server/pushrules"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// room makes a room of alice's that others join.
func (h *fixture) room(others ...string) id.RoomID {
	h.t.Helper()
	room := h.ok("POST", slicetest.Path("v3/createRoom"), "alice", slicetest.O{"preset": "public_chat"}).At("room_id")
	for _, name := range others {
		h.ok("POST", slicetest.Path("v3/rooms/{}/join", room), name, slicetest.O{})
	}
	return id.RoomID(room)
}

// sent counts the transaction ids of all fixtures.
var sent atomic.Int64

func (h *fixture) send(room id.RoomID, token string, content slicetest.O) {
	h.t.Helper()
	h.ok("PUT", slicetest.Path("v3/rooms/{}/send/m.room.message/{}", room, fmt.Sprint("t", sent.Add(1))), token, content)
}

func text(body string) slicetest.O { return slicetest.O{"msgtype": "m.text", "body": body} }

// unread is how much a user has not read in a room: notifications and highlights.
func (h *fixture) unread(room id.RoomID, name string) (notify, highlight int64) {
	h.t.Helper()
	require.NoError(h.t, h.DB.Read(h.t.Context(), func(tx *storage.Reader) error {
		row, err := tx.Room(h.t.Context(), room)
		if err != nil {
			return err
		}
		counts, err := tx.UnreadIn(h.t.Context(), slicetest.User(name), []int64{row.NID}, 1<<40)
		for _, c := range counts[row.NID] {
			notify, highlight = notify+c.Notify, highlight+c.Highlight
		}
		return err
	}))
	return notify, highlight
}

func (h *fixture) requireUnread(room id.RoomID, name string, notify, highlight int64, what string) {
	h.t.Helper()
	n, hi := h.unread(room, name)
	require.Equal(h.t, [2]int64{notify, highlight}, [2]int64{n, hi}, "%s of %s", what, name)
}

// ignore sets whom a user ignores.
func (h *fixture) ignore(name string, others ...string) {
	h.t.Helper()
	list := slicetest.O{}
	for _, o := range others {
		list[string(slicetest.User(o))] = slicetest.O{}
	}
	content, err := json.Marshal(slicetest.O{"ignored_users": list})
	require.NoError(h.t, err)
	require.NoError(h.t, h.DB.Write(h.t.Context(), func(tx *storage.Writer) error {
		pos, err := tx.ReservePosition(h.t.Context())
		if err != nil {
			return err
		}
		err = tx.PutAccountData(h.t.Context(), &storage.AccountData{
			UserID: slicetest.User(name), Type: "m.ignored_user_list", Content: content, Pos: pos,
		})
		if err != nil {
			return err
		}
		return tx.InsertChange(h.t.Context(), storage.Change{Pos: pos, Kind: "account_data", UserID: string(slicetest.User(name))})
	}))
}

var (
	silent    = slicetest.O{"actions": slicetest.L{}}
	highlight = slicetest.O{"set_tweak": "highlight"}
)

// TestOwnRulesDecide for the member who has them, from their change on; what was
// counted before stays counted.
func TestOwnRulesDecide(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.room("bob", "carol", "dora")
		h.send(room, "alice", text("one"))
		h.requireUnread(room, "bob", 1, 0, "by the default rules")

		h.put("bob", "room", string(room), "", silent)
		h.send(room, "alice", text("two"))
		h.requireUnread(room, "bob", 1, 0, "silenced")
		h.requireUnread(room, "carol", 2, 0, "others' counts")
		h.put("bob", "room", string(room)+"/enabled", "", slicetest.O{"enabled": false})
		h.send(room, "alice", text("three"))
		h.requireUnread(room, "bob", 2, 0, "no longer silenced")

		h.put("bob", "content", "cake", "", slicetest.O{"pattern": "cake", "actions": slicetest.L{"notify", highlight}})
		h.send(room, "alice", text("There is cake!"))
		h.requireUnread(room, "bob", 3, 1, "a word")
		h.put("bob", "content", "cake", "", slicetest.O{"pattern": "cake", "actions": slicetest.L{"dont_notify", highlight}})
		h.send(room, "alice", text("There is cake!"))
		h.requireUnread(room, "bob", 3, 1, "a word, without notify")

		h.put("carol", "sender", string(slicetest.User("dora")), "", silent)
		h.send(room, "dora", text("psst"))
		h.requireUnread(room, "carol", 5, 0, "a sender")
		h.requireUnread(room, "bob", 4, 1, "others' senders")

		h.put("carol", "override", ".m.rule.master/enabled", "", slicetest.O{"enabled": true})
		h.send(room, "alice", slicetest.O{"msgtype": "m.text", "body": "Carol", "m.mentions": slicetest.O{"user_ids": slicetest.L{slicetest.User("carol"), slicetest.User("dora")}}})
		h.requireUnread(room, "carol", 5, 0, "nothing at all, also where she is mentioned")
		h.requireUnread(room, "dora", 1, 1, "a mention by the default rules")
		h.send(room, "alice", slicetest.O{"msgtype": "m.text", "body": "All", "m.mentions": slicetest.O{"room": true}})
		h.requireUnread(room, "carol", 5, 0, "nothing, also where the room is mentioned")
		h.requireUnread(room, "dora", 2, 2, "a mention of the room")
		h.put("carol", "override", ".m.rule.master/enabled", "", slicetest.O{"enabled": false})
		h.send(room, "alice", text("again"))
		h.requireUnread(room, "carol", 6, 0, "all again")
	})
}

// TestOwnRulesOfQuietEvents: own rules may notify of what the default rules do not.
func TestOwnRulesOfQuietEvents(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.room("bob", "carol")
		h.put("bob", "override", "topics", "", slicetest.O{
			"conditions": slicetest.L{slicetest.O{"kind": "event_match", "key": "type", "pattern": "m.room.topic"}}, "actions": slicetest.L{"notify"},
		})
		h.ok("PUT", slicetest.Path("v3/rooms/{}/state/m.room.topic/", room), "alice", slicetest.O{"topic": "cake"})
		h.requireUnread(room, "bob", 1, 0, "a topic")
		h.requireUnread(room, "carol", 0, 0, "a topic")
	})
}

// TestOwnRulesAboutTheRoom: how many members it has, and what the member is called
// there.
func TestOwnRulesAboutTheRoom(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.room("bob")
		count := func(is string) {
			h.put("bob", "override", "count", "", slicetest.O{
				"conditions": slicetest.L{slicetest.O{"kind": "room_member_count", "is": is}}, "actions": slicetest.L{"notify", highlight},
			})
		}
		h.put("bob", "underride", ".m.rule.room_one_to_one/actions", "", slicetest.O{"actions": slicetest.L{"notify", highlight}})
		h.send(room, "alice", text("we two"))
		h.requireUnread(room, "bob", 1, 1, "a room of two")
		h.ok("POST", slicetest.Path("v3/rooms/{}/join", room), "carol", slicetest.O{})
		h.send(room, "alice", text("we three"))
		h.requireUnread(room, "bob", 2, 1, "a room of three")
		count("3")
		h.send(room, "alice", text("three"))
		h.requireUnread(room, "bob", 3, 2, "exactly three")
		h.ok("POST", slicetest.Path("v3/rooms/{}/join", room), "dora", slicetest.O{})
		h.requireUnread(room, "bob", 3, 2, "a fourth who joins")
		h.send(room, "alice", text("four"))
		h.requireUnread(room, "bob", 4, 2, "four are not three")
		count(">3")
		h.send(room, "alice", text("more than three"))
		h.requireUnread(room, "bob", 5, 3, "more than three")
		h.ok("DELETE", rulePath("override", "count"), "bob", nil)

		h.put("bob", "override", "name", "", slicetest.O{
			"conditions": slicetest.L{slicetest.O{"kind": "contains_display_name"}}, "actions": slicetest.L{"notify", highlight},
		})
		h.send(room, "alice", text("Hello Builder"))
		h.requireUnread(room, "bob", 6, 3, "a name that he does not have")
		h.ok("PUT", slicetest.Path("v3/rooms/{}/state/m.room.member/{}", room, slicetest.User("bob")), "bob", slicetest.O{"membership": "join", "displayname": "Builder"})
		h.send(room, "alice", text("Hello Builder"))
		h.requireUnread(room, "bob", 1, 1, "his name in the room, after he has sent something")
	})
}

// TestIgnoredSenders count for nobody who ignores them, from then on.
func TestIgnoredSenders(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.room("bob", "carol")
		h.ignore("bob", "alice")
		h.send(room, "alice", text("one"))
		h.send(room, "alice", slicetest.O{"msgtype": "m.text", "body": "Bob", "m.mentions": slicetest.O{"user_ids": slicetest.L{slicetest.User("bob")}}})
		h.requireUnread(room, "bob", 0, 0, "ignored")
		h.requireUnread(room, "carol", 2, 0, "others'")
		h.send(room, "carol", text("two"))
		h.requireUnread(room, "bob", 1, 0, "not ignored")
		h.ignore("bob")
		h.send(room, "alice", text("three"))
		h.requireUnread(room, "bob", 2, 0, "no longer ignored")
	})
}

// TestRulesOfWhoJoinsLater: rules that are older than the membership decide, too.
func TestRulesOfWhoJoinsLater(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.room("carol")
		h.put("bob", "room", string(room), "", silent)
		h.ok("POST", slicetest.Path("v3/rooms/{}/join", room), "bob", slicetest.O{})
		h.send(room, "alice", text("one"))
		h.requireUnread(room, "bob", 0, 0, "silenced")
		h.requireUnread(room, "carol", 1, 0, "others'")
		h.ok("POST", slicetest.Path("v3/rooms/{}/leave", room), "bob", slicetest.O{})
		h.ok("DELETE", rulePath("room", string(room)), "bob", nil)
		h.ok("POST", slicetest.Path("v3/rooms/{}/join", room), "bob", slicetest.O{})
		h.send(room, "alice", text("two"))
		h.requireUnread(room, "bob", 1, 0, "no longer silenced")
	})
}

// TestInvitesNotify the invited, as their rules say; before they join they hear of
// nothing else.
func TestInvitesNotify(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.put("carol", "override", ".m.rule.invite_for_me/enabled", "", slicetest.O{"enabled": false})
		h.put("dora", "room", "!other:hs1", "", silent)
		room := h.room()
		for _, name := range []string{"dora", "bob", "carol"} {
			h.ok("POST", slicetest.Path("v3/rooms/{}/invite", room), "alice", slicetest.O{"user_id": slicetest.User(name)})
		}
		outcomes := func(event string) (out map[id.UserID]pushrules.Outcome) {
			ev, err := pushrules.NewEvent([]byte(event))
			require.NoError(t, err)
			require.NoError(t, h.DB.Write(t.Context(), func(tx *storage.Writer) error {
				row, err := tx.Room(t.Context(), room)
				if err != nil {
					return err
				}
				out, err = h.slice.Outcomes(t.Context(), tx, row.NID, ev, pushrules.RoomInfo{})
				return err
			}))
			return out
		}
		const invite = `{"type":"m.room.member","sender":"@alice:hs1","state_key":%q,"content":{"membership":"invite"}}`
		require.Empty(t, outcomes(fmt.Sprintf(invite, slicetest.User("bob"))), "the default rules decide")
		require.Equal(t, ".m.rule.invite_for_me", outcomes(fmt.Sprintf(invite, slicetest.User("dora")))[slicetest.User("dora")].RuleID)
		carol := outcomes(fmt.Sprintf(invite, slicetest.User("carol")))
		require.Len(t, carol, 1)
		require.False(t, carol[slicetest.User("carol")].Notify)
		require.Empty(t, outcomes(`{"type":"m.room.message","sender":"@alice:hs1","content":{"body":"x"}}`))
	})
}

// TestAChangeOnAnotherProcessCounts for the next event.
func TestAChangeOnAnotherProcessCounts(t *testing.T) {
	url := storagetest.PostgresURL(t)
	one := newFixture(t, storagetest.OpenURL(t, url), push.Deps{})
	two := newFixture(t, storagetest.OpenURL(t, url), push.Deps{})
	room := one.room("bob")
	want := int64(0)
	for i := range 10 {
		one.put("bob", "room", string(room), "", slicetest.O{"actions": slicetest.L{"notify", slicetest.O{"set_tweak": "n", "value": i}}})
		two.send(room, "alice", text("counts"))
		want++
		two.requireUnread(room, "bob", want, 0, "after a change elsewhere")
		two.put("bob", "room", string(room), "", silent)
		one.send(room, "alice", text("does not"))
		one.requireUnread(room, "bob", want, 0, "after a change elsewhere")
	}
}

// TestRulesBesideAJoin: whichever comes first, rules and membership are both known
// afterwards.
func TestRulesBesideAJoin(t *testing.T) {
	url := storagetest.PostgresURL(t)
	one := newFixture(t, storagetest.OpenURL(t, url), push.Deps{})
	two := newFixture(t, storagetest.OpenURL(t, url), push.Deps{})
	for range 20 {
		room := one.room()
		var racing sync.WaitGroup
		racing.Go(func() { one.ok("POST", slicetest.Path("v3/rooms/{}/join", room), "bob", slicetest.O{}) })
		racing.Go(func() { two.put("bob", "room", string(room), "", silent) })
		racing.Wait()
		one.send(room, "alice", text("silenced"))
		one.requireUnread(room, "bob", 0, 0, "silenced")
	}
}

// TestChangesAtOnce are all kept.
func TestChangesAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		var changing sync.WaitGroup
		for i := range 8 {
			changing.Go(func() { h.put("bob", "override", fmt.Sprint("r", i), "", silent) })
		}
		changing.Wait()
		require.Len(t, h.order("bob", "override"), 8)
	})
}

// TestPollRules are there where the switch is on, and evaluated.
func TestPollRules(t *testing.T) {
	h := newFixture(t, storagetest.Open(t), push.Deps{Predefined: pushrules.WithPolls})
	const rule = ".org.matrix.msc3930.rule.poll_"
	for name, kind := range map[string]string{"response": "override", "start_one_to_one": "underride", "start": "underride", "end_one_to_one": "underride", "end": "underride"} {
		require.Equal(t, "true", h.ok("GET", rulePath(kind, rule+name), "bob", nil).At("default"), name)
	}
	room := h.room("bob")
	poll := func(name string) {
		h.ok("PUT", slicetest.Path("v3/rooms/{}/send/org.matrix.msc3381.poll.{}/{}", room, name, fmt.Sprint("t", sent.Add(1))), "alice", slicetest.O{})
	}
	poll("start")
	h.requireUnread(room, "bob", 1, 0, "a poll")
	poll("response")
	h.requireUnread(room, "bob", 1, 0, "a response")
	h.put("bob", "underride", rule+"end/enabled", "", slicetest.O{"enabled": false})
	h.put("bob", "underride", rule+"end_one_to_one/enabled", "", slicetest.O{"enabled": false})
	poll("end")
	h.requireUnread(room, "bob", 1, 0, "an end that is turned off")
	require.Equal(t, 404, slicetest.Do(t, newFixture(t, storagetest.Open(t), push.Deps{}).router, "GET", rulePath("underride", rule+"end"), "bob", nil).Status)
}
