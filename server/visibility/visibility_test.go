// SPDX-License-Identifier: Apache-2.0

package visibility_test

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/visibility"
)

const (
	world   = visibility.WorldReadable
	shared  = visibility.Shared
	invited = visibility.Invited
	joined  = visibility.Joined

	none   = visibility.None
	invite = visibility.Invite
	join   = visibility.Join
	knock  = visibility.Knock
	leave  = visibility.Leave
	ban    = visibility.Ban
)

// Viewers: a user without memberships, one who left before the event, one who
// joined after it, and one who forgot the room.
var (
	stranger = visibility.Viewer{}
	earlier  = visibility.Viewer{EverJoined: true}
	later    = visibility.Viewer{EverJoined: true, JoinedSince: true}
	forgot   = visibility.Viewer{EverJoined: true, JoinedSince: true, Forgotten: true}
)

func TestAnOrdinaryEvent(t *testing.T) {
	for _, c := range []struct {
		name       string
		history    visibility.History
		membership visibility.Membership
		viewer     visibility.Viewer
		want       bool
		why        visibility.Reason
	}{
		{"anybody sees world_readable events", world, none, stranger, true, visibility.WorldRule},
		{"so do those who were banned", world, ban, earlier, true, visibility.WorldRule},
		{"and those who forgot the room", world, leave, forgot, true, visibility.WorldRule},
		{"a member sees what is shared", shared, join, earlier, true, visibility.MemberRule},
		{"a member sees what is for invited users", invited, join, earlier, true, visibility.MemberRule},
		{"a member sees what is for joined users", joined, join, earlier, true, visibility.MemberRule},
		{"a member who left and forgot does not", joined, join, forgot, false, visibility.Forgot},
		{"who joins later sees what was shared", shared, none, later, true, visibility.SharedRule},
		{"also if they had left before", shared, leave, later, true, visibility.SharedRule},
		{"or had been invited", shared, invite, later, true, visibility.SharedRule},
		{"or had been banned", shared, ban, later, true, visibility.SharedRule},
		{"or had knocked", shared, knock, later, true, visibility.SharedRule},
		{"history that is not set is shared", "", none, later, true, visibility.SharedRule},
		{"who left does not see what is shared afterwards", shared, leave, earlier, false, visibility.Otherwise},
		{"who was banned does not either", shared, ban, earlier, false, visibility.Otherwise},
		{"nor who was invited again but did not join", shared, invite, earlier, false, visibility.Otherwise},
		{"a stranger does not see what is shared", shared, none, stranger, false, visibility.NeverJoined},
		{"nor does an invited one", shared, invite, stranger, false, visibility.NeverJoined},
		{"who was invited and joined later sees what is for invited users", invited, invite, later, true, visibility.InvitedRule},
		{"who was not invited yet does not", invited, none, later, false, visibility.Otherwise},
		{"who had left does not", invited, leave, later, false, visibility.Otherwise},
		{"who had knocked does not", invited, knock, later, false, visibility.Otherwise},
		{"who was invited again after leaving does", invited, invite, earlier, true, visibility.InvitedRule},
		{"who was invited but never joined does not", invited, invite, stranger, false, visibility.NeverJoined},
		{"who joins later does not see what is for joined users", joined, none, later, false, visibility.Otherwise},
		{"not even if they were invited", joined, invite, later, false, visibility.Otherwise},
		{"who left does not see what is for joined users", joined, leave, earlier, false, visibility.Otherwise},
		{"who forgot sees nothing that is shared", shared, leave, forgot, false, visibility.Forgot},
	} {
		s := visibility.State{History: c.history, Membership: c.membership}
		ok, why := visibility.Event(s, s, c.viewer)
		require.Equal(t, c.want, ok, c.name)
		require.Equal(t, c.why, why, c.name)
	}
}

func TestVisibilityChangeIsSeenByEitherState(t *testing.T) {
	for _, c := range []struct {
		name       string
		from, to   visibility.History
		membership visibility.Membership
		viewer     visibility.Viewer
		want       bool
		why        visibility.Reason
	}{
		{"closing is seen by strangers", world, joined, none, stranger, true, visibility.WorldRule},
		{"opening is seen by strangers", joined, world, none, stranger, true, visibility.WorldRule},
		{"shared to joined is seen by who joins later", shared, joined, none, later, true, visibility.SharedRule},
		{"joined to shared is seen by who joins later", joined, shared, none, later, true, visibility.SharedRule},
		{"joined to invited is seen by who was invited", joined, invited, invite, later, true, visibility.InvitedRule},
		{"invited to joined is not seen by who was not", invited, joined, none, later, false, visibility.Otherwise},
		{"shared to joined is not seen by strangers", shared, joined, none, stranger, false, visibility.NeverJoined},
		{"any is seen by members", joined, invited, join, earlier, true, visibility.MemberRule},
	} {
		ok, why := visibility.Event(visibility.State{History: c.from, Membership: c.membership},
			visibility.State{History: c.to, Membership: c.membership}, c.viewer)
		require.Equal(t, c.want, ok, c.name)
		require.Equal(t, c.why, why, c.name)
	}
}

func TestOwnMembershipChangeIsSeenByEitherState(t *testing.T) {
	for _, c := range []struct {
		name     string
		history  visibility.History
		from, to visibility.Membership
		viewer   visibility.Viewer
		want     bool
		why      visibility.Reason
	}{
		{"one's own join", joined, none, join, visibility.Viewer{EverJoined: true}, true, visibility.MemberRule},
		{"one's own leaving", joined, join, leave, earlier, true, visibility.MemberRule},
		{"one's own ban", joined, join, ban, earlier, true, visibility.MemberRule},
		{"one's invitation, after joining", invited, none, invite, later, true, visibility.InvitedRule},
		{"one's invitation where only members see, not even after joining", joined, none, invite, later, false, visibility.Otherwise},
		{"one's invitation where history is shared, after joining", shared, none, invite, later, true, visibility.SharedRule},
		{"one's invitation, without joining", invited, none, invite, stranger, false, visibility.NeverJoined},
		{"the withdrawal of an invitation, for a former member", invited, invite, leave, earlier, true, visibility.InvitedRule},
		{"being unbanned, for a former member", shared, ban, leave, earlier, false, visibility.Otherwise},
		{"one's own leaving, once the room is forgotten", joined, join, leave, forgot, false, visibility.Forgot},
	} {
		ok, why := visibility.Event(visibility.State{History: c.history, Membership: c.from},
			visibility.State{History: c.history, Membership: c.to}, c.viewer)
		require.Equal(t, c.want, ok, c.name)
		require.Equal(t, c.why, why, c.name)
	}
}

func TestWith(t *testing.T) {
	empty, alice, bob := "", "@alice:x", "@bob:x"
	before := visibility.State{History: shared, Membership: invite}
	for name, c := range map[string]struct {
		typ      string
		stateKey *string
		content  string
		want     visibility.State
	}{
		"a change of the history":          {"m.room.history_visibility", &empty, `{"history_visibility":"joined"}`, visibility.State{History: joined, Membership: invite}},
		"a history not understood":         {"m.room.history_visibility", &empty, `{"history_visibility":"x"}`, before},
		"history with another state key":   {"m.room.history_visibility", &alice, `{"history_visibility":"joined"}`, before},
		"history that is no state":         {"m.room.history_visibility", nil, `{"history_visibility":"joined"}`, before},
		"one's own membership":             {"m.room.member", &alice, `{"membership":"join"}`, visibility.State{History: shared, Membership: join}},
		"somebody else's membership":       {"m.room.member", &bob, `{"membership":"join"}`, before},
		"a membership that is no state":    {"m.room.member", nil, `{"membership":"join"}`, before},
		"another event":                    {"m.room.name", &empty, `{"membership":"join","history_visibility":"joined"}`, before},
		"a message":                        {"m.room.message", nil, `{}`, before},
		"a history without a value":        {"m.room.history_visibility", &empty, `{}`, before},
		"a membership without a value":     {"m.room.member", &alice, `{}`, visibility.State{History: shared}},
		"a history that is set to its own": {"m.room.history_visibility", &empty, `{"history_visibility":"shared"}`, before},
	} {
		require.Equal(t, c.want, before.With("@alice:x", c.typ, c.stateKey, jsontext.Value(c.content)), name)
	}
}

func TestReadingContent(t *testing.T) {
	for content, want := range map[string]visibility.History{
		`{"history_visibility":"world_readable"}`:                              world,
		`{"history_visibility":"shared"}`:                                      shared,
		`{"a":{"history_visibility":"joined"},"history_visibility":"invited"}`: invited,
		`{"history\u005fvisibility":"joined"}`:                                 joined,
		"{\"a\":\"\xff\",\"history_visibility\":\"joined\"}":                   joined,
		`{"a":1,"a":2,"history_visibility":"joined"}`:                          joined,
		`{"history_visibility":["joined"]}`:                                    shared,
		`{"history_visibility":null}`:                                          shared,
		`{"history_visibility":"JOINED"}`:                                      shared,
		`{"history_visibility":"default"}`:                                     shared,
		`{}`:                                                                   shared,
		`[]`:                                                                   shared,
		``:                                                                     shared,
		`{"history_visibility":`:                                               shared,
		`{"a":`:                                                                shared,
	} {
		require.Equal(t, want, visibility.HistoryOf(jsontext.Value(content)), content)
	}
	require.Equal(t, ban, visibility.MembershipOf(jsontext.Value(`{"reason":"x","membership":"ban"}`)))
	require.Equal(t, none, visibility.MembershipOf(jsontext.Value(`{"membership":7}`)))
}

func TestRoomReach(t *testing.T) {
	for _, c := range []struct {
		name       string
		history    visibility.History
		membership visibility.Membership
		viewer     visibility.Viewer
		want       visibility.Reach
		why        visibility.Reason
	}{
		{"a member sees the current state", joined, join, earlier, visibility.ToNow, visibility.CurrentMember},
		{"who left sees the state then", shared, leave, earlier, visibility.ToEndOfMembership, visibility.FormerMember},
		{"also in a world-readable room", world, leave, earlier, visibility.ToEndOfMembership, visibility.FormerMember},
		{"who was banned sees the state then", shared, ban, earlier, visibility.ToEndOfMembership, visibility.FormerMember},
		{"who was invited again sees the state then", shared, invite, earlier, visibility.ToEndOfMembership, visibility.FormerMember},
		{"who forgot the room sees nothing", shared, leave, forgot, visibility.Nowhere, visibility.Forgot},
		{"unless everybody does", world, leave, forgot, visibility.ToNow, visibility.WorldRule},
		{"a stranger sees nothing", shared, none, stranger, visibility.Nowhere, visibility.NeverJoined},
		{"nor does who was invited", invited, invite, stranger, visibility.Nowhere, visibility.NeverJoined},
		{"nor who declined", shared, leave, stranger, visibility.Nowhere, visibility.NeverJoined},
		{"nor who was banned without having joined", shared, ban, stranger, visibility.Nowhere, visibility.NeverJoined},
		{"nor who knocked", shared, knock, stranger, visibility.Nowhere, visibility.NeverJoined},
		{"a stranger sees a world-readable room", world, none, stranger, visibility.ToNow, visibility.WorldRule},
		{"so does one who was banned without having joined", world, ban, stranger, visibility.ToNow, visibility.WorldRule},
	} {
		reach, why := visibility.Room(visibility.State{History: c.history, Membership: c.membership}, c.viewer)
		require.Equal(t, c.want, reach, c.name)
		require.Equal(t, c.why, why, c.name)
	}
}

func TestReasonsAreSentences(t *testing.T) {
	seen := map[string]bool{}
	for r := visibility.Otherwise; r <= visibility.FormerMember; r++ {
		require.NotEmpty(t, r.String())
		require.False(t, seen[r.String()])
		seen[r.String()] = true
	}
}
