// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

var lazyCases = []syncCase{
	{"lazy loading brings the members of the timeline and oneself", lazyInitial},
	{"a new sender's membership comes with the first event", lazyNewSender},
	{"a new hero's membership comes with the summary", lazyNewHero},
	{"redundant members come when asked for", lazyRedundant},
	{"members come once", lazyOnce},
	{"an answer that was lost tells its members again", lazyLost},
	{"a member who has changed comes again", lazyChanged},
	{"joins in a gap are told even to the lazy", lazyGap},
	{"without lazy loading all members come", notLazy},
	{"messages load members lazily", lazyMessages},
}

// lazy is a filter that loads members lazily.
func lazy(limit int, redundant bool) string {
	return harness.Filter(harness.O{"room": harness.O{
		"timeline": harness.O{"limit": limit},
		"state":    harness.O{"lazy_load_members": true, "include_redundant_members": redundant},
	}})
}

// members returns the users whose membership events are in a list, sorted.
func members(lists ...harness.Value) []string {
	out := []string{}
	for _, events := range lists {
		for _, ev := range events.List() {
			if ev.At("type").String() == "m.room.member" {
				out = append(out, ev.At("state_key").String())
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func sorted(ids ...string) []string {
	out := append([]string{}, ids...)
	slices.Sort(out)
	return out
}

// fourMemberRoom is a room of eight, in which the last two events are bob's. It has a
// name, and more members than a summary has heroes.
func fourMemberRoom(t *testing.T, s *harness.Server) (alice, bob, carol, dora *harness.User, room string) {
	u := s.Users(t, "alice", "bob", "carol", "dora", "emil", "fritz", "gerda", "hanna")
	room = u[0].PublicRoom(t, u[1:]...)
	u[0].SetState(t, room, "m.room.name", "", harness.O{"name": "crowd"})
	for _, member := range []*harness.User{u[2], u[0], u[1], u[1]} {
		member.Send(t, room, "hello")
	}
	return u[0], u[1], u[2], u[3], room
}

// lazyInitial: the heroes of the summary have to come too, where it names any.
func lazyInitial(t *testing.T, s *harness.Server) {
	_, bob, _, dora, room := fourMemberRoom(t, s)
	part := joined(dora.Sync(t, "filter", lazy(2, false)), room)
	want := append(part.At("summary", "m.heroes").Strings(), bob.ID, dora.ID)
	require.Equal(t, slices.Compact(sorted(want...)), members(part.At("state", "events")))
	require.Less(t, len(want), 8)
	require.True(t, harness.StateOf(part.At("state", "events"), "m.room.create", "").Exists())
}

func lazyNewSender(t *testing.T, s *harness.Server) {
	_, _, carol, dora, room := fourMemberRoom(t, s)
	v := dora.Sync(t, "filter", lazy(2, false))
	carol.Send(t, room, "me too")
	v = dora.Sync(t, "since", v.At("next_batch"), "filter", lazy(2, false))
	require.Equal(t, sorted(carol.ID), members(joined(v, room).At("state", "events")))
}

func lazyNewHero(t *testing.T, s *harness.Server) {
	u := s.Users(t, "alice", "bob", "carol", "dora", "emil", "fritz", "gerda")
	room := u[0].PublicRoom(t, u[1:]...)
	u[0].Send(t, room, "all that the first answer's timeline has")
	v := u[0].Sync(t, "filter", lazy(1, false))
	require.NotContains(t, joined(v, room).At("summary", "m.heroes").Strings(), u[6].ID)
	u[1].Leave(t, room)
	part := joined(u[0].Sync(t, "since", v.At("next_batch"), "filter", lazy(5, false)), room)
	require.Contains(t, part.At("summary", "m.heroes").Strings(), u[6].ID)
	require.Contains(t, members(part.At("state", "events")), u[6].ID)
}

func lazyRedundant(t *testing.T, s *harness.Server) {
	_, bob, _, dora, room := fourMemberRoom(t, s)
	v := dora.Sync(t, "filter", lazy(2, true))
	for range 2 {
		bob.Send(t, room, "again")
		v = dora.Sync(t, "since", v.At("next_batch"), "filter", lazy(2, true))
		require.Contains(t, members(joined(v, room).At("state", "events")), bob.ID)
	}
}

func lazyOnce(t *testing.T, s *harness.Server) {
	_, bob, carol, dora, room := fourMemberRoom(t, s)
	v := dora.Sync(t, "filter", lazy(2, false))
	for i, want := range [][]string{{carol.ID}, {}, {}} {
		bob.Send(t, room, "known since the first answer")
		carol.Send(t, room, "new, and then known")
		if i == 2 { // through answers without news too
			v = dora.Sync(t, "since", v.At("next_batch"), "filter", lazy(2, false), "timeout", 1)
			bob.Send(t, room, "still known")
		}
		v = dora.Sync(t, "since", v.At("next_batch"), "filter", lazy(2, false))
		require.Equal(t, want, members(joined(v, room).At("state", "events")), i)
	}
	v = dora.Sync(t, "since", v.At("next_batch"), "filter", lazy(2, false), "full_state", true)
	require.Contains(t, members(joined(v, room).At("state", "events")), dora.ID, "who asks for all is told all")
}

func lazyLost(t *testing.T, s *harness.Server) {
	_, bob, carol, dora, room := fourMemberRoom(t, s)
	v := dora.Sync(t, "filter", lazy(2, false))
	carol.Send(t, room, "one")
	for range 3 {
		lost := dora.Sync(t, "since", v.At("next_batch"), "filter", lazy(5, false))
		require.Equal(t, sorted(carol.ID), members(joined(lost, room).At("state", "events")))
		bob.Send(t, room, "two")
	}
}

func lazyChanged(t *testing.T, s *harness.Server) {
	_, bob, _, dora, room := fourMemberRoom(t, s)
	v := dora.Sync(t, "filter", lazy(2, false))
	bob.SetState(t, room, "m.room.member", bob.ID, harness.O{"membership": "join", "displayname": "Robert"})
	sendMany(t, bob, room, 2)
	v = dora.Sync(t, "since", v.At("next_batch"), "filter", lazy(2, false))
	require.Equal(t, sorted(bob.ID), members(joined(v, room).At("state", "events")))
}

func lazyGap(t *testing.T, s *harness.Server) {
	alice, bob, carol, dora, room := fourMemberRoom(t, s)
	v := dora.Sync(t, "filter", lazy(2, false))
	carol.Leave(t, room)
	erik := s.User(t, "erik")
	erik.Join(t, room)
	bob.SetState(t, room, "m.room.member", bob.ID, harness.O{"membership": "join", "displayname": "Robert"})
	sendMany(t, alice, room, 3)
	part := joined(dora.Sync(t, "since", v.At("next_batch"), "filter", lazy(2, false)), room)
	require.True(t, part.At("timeline", "limited").Bool())
	got := members(part.At("state", "events"))
	require.Subset(t, got, []string{alice.ID, bob.ID, carol.ID, erik.ID})
}

func notLazy(t *testing.T, s *harness.Server) {
	_, _, _, dora, room := fourMemberRoom(t, s)
	part := joined(dora.Sync(t, "filter", limit(2)), room)
	require.Len(t, members(part.At("state", "events")), 8)
}

func lazyMessages(t *testing.T, s *harness.Server) {
	alice, bob, _, dora, room := fourMemberRoom(t, s)
	page := dora.Messages(t, room, "dir", "b", "limit", 3, "filter", harness.Filter(harness.O{"lazy_load_members": true}))
	require.Len(t, page.At("chunk").List(), 3)
	require.Equal(t, sorted(alice.ID, bob.ID), members(page.At("state")))
	require.False(t, dora.Messages(t, room, "dir", "b", "limit", 3).At("state", 0).Exists())
}

// TestAnotherServerRepeatsLazyMembers: a server omits only members that it has sent
// itself.
func TestAnotherServerRepeatsLazyMembers(t *testing.T) {
	servers := harness.StartSeveral(t, 2)
	_, bob, _, dora, room := fourMemberRoom(t, servers[0])
	since := dora.Sync(t, "filter", lazy(2, false)).At("next_batch").String()
	sent := bob.Send(t, room, "known since the first answer")
	for i, want := range [][]string{{}, {bob.ID}} {
		v := dora.On(servers[i]).SyncUntil(t, since, harness.HasEvent(room, sent), "filter", lazy(2, false))
		require.Equal(t, want, members(joined(v, room).At("state", "events")))
	}
}

// TestLazyTokensOfAnotherServerAreIgnored: two servers answer at the same position,
// and one of the responses is lost. A server must not take the other's token for
// its own, with which it sent more members.
func TestLazyTokensOfAnotherServerAreIgnored(t *testing.T) {
	servers := harness.StartSeveral(t, 2)
	_, bob, carol, dora, room := fourMemberRoom(t, servers[0])
	here, there := dora.On(servers[0]), dora.On(servers[1])
	since := here.Sync(t, "filter", harness.Filter(harness.O{"room": harness.O{"rooms": []string{}, "state": harness.O{"lazy_load_members": true}}})).At("next_batch").String()
	bob.Send(t, room, "one")
	last := carol.Send(t, room, "two")
	lost := there.SyncUntil(t, since, harness.HasEvent(room, last), "filter", lazy(5, false))
	require.Equal(t, sorted(bob.ID, carol.ID), members(joined(lost, room).At("state", "events")))
	taken := here.SyncUntil(t, since, harness.HasEvent(room, last), "filter", lazy(1, false))
	require.Equal(t, sorted(carol.ID), members(joined(taken, room).At("state", "events")))
	again := bob.Send(t, room, "three")
	v := there.SyncUntil(t, taken.At("next_batch").String(), harness.HasEvent(room, again), "filter", lazy(5, false))
	require.Contains(t, members(joined(v, room).At("state", "events")), bob.ID)
}
