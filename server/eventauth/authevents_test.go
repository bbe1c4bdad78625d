// SPDX-License-Identifier: Apache-2.0

package eventauth_test

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
)

func serverName(i int) id.ServerName { return id.ServerName("s" + strconv.Itoa(i) + ".example") }

var (
	powerKey = event.StateKey{Type: "m.room.power_levels"}
	ruleKey  = event.StateKey{Type: "m.room.join_rules"}
)

func memberKey(user string) event.StateKey { return event.StateKey{Type: "m.room.member", Key: user} }

// selections are the expected auth events of events sent by @s:x.
var selections = []struct {
	name, typ string
	stateKey  *string
	content   string
	want      []event.StateKey
	restrict  []event.StateKey // additional entries in versions with restricted joins
}{
	{"a message", "m.room.message", nil, `{"membership":"join"}`, []event.StateKey{powerKey, memberKey("@s:x")}, nil},
	{"a state event", "m.room.name", text(""), `{}`, []event.StateKey{powerKey, memberKey("@s:x")}, nil},
	{"a join", "m.room.member", text("@s:x"), `{"membership":"join"}`, []event.StateKey{powerKey, memberKey("@s:x"), ruleKey}, nil},
	{"an invite", "m.room.member", text("@t:x"), `{"membership":"invite"}`, []event.StateKey{powerKey, memberKey("@s:x"), memberKey("@t:x"), ruleKey}, nil},
	{"a knock", "m.room.member", text("@s:x"), `{"membership":"knock"}`, []event.StateKey{powerKey, memberKey("@s:x"), ruleKey}, nil},
	{"a leave", "m.room.member", text("@s:x"), `{"membership":"leave"}`, []event.StateKey{powerKey, memberKey("@s:x")}, nil},
	{"a ban", "m.room.member", text("@t:x"), `{"membership":"ban"}`, []event.StateKey{powerKey, memberKey("@s:x"), memberKey("@t:x")}, nil},
	{"a membership without a state key", "m.room.member", nil, `{"membership":"ban"}`, []event.StateKey{powerKey, memberKey("@s:x")}, nil},
	{
		"a third-party invite", "m.room.member", text("@t:x"),
		`{"membership":"invite","third_party_invite":{"signed":{"token":"t"}}}`,
		[]event.StateKey{powerKey, memberKey("@s:x"), memberKey("@t:x"), ruleKey, {Type: "m.room.third_party_invite", Key: "t"}}, nil,
	},
	{
		"a third-party invite without a token", "m.room.member", text("@t:x"),
		`{"membership":"invite","third_party_invite":{"signed":{}}}`,
		[]event.StateKey{powerKey, memberKey("@s:x"), memberKey("@t:x"), ruleKey}, nil,
	},
	{
		"a join with a third-party invite", "m.room.member", text("@s:x"),
		`{"membership":"join","third_party_invite":{"signed":{"token":"t"}}}`,
		[]event.StateKey{powerKey, memberKey("@s:x"), ruleKey}, nil,
	},
	{
		"a join that a member vouches for", "m.room.member", text("@s:x"),
		`{"join_authorised_via_users_server":"@v:x","membership":"join"}`,
		[]event.StateKey{powerKey, memberKey("@s:x"), ruleKey}, []event.StateKey{memberKey("@v:x")},
	},
	{
		"a leave that a member vouches for", "m.room.member", text("@s:x"),
		`{"join_authorised_via_users_server":"@v:x","membership":"leave"}`,
		[]event.StateKey{powerKey, memberKey("@s:x")}, nil,
	},
}

// Spec: server-server "Auth events selection".
func TestAuthEventsSelection(t *testing.T) {
	for _, tc := range selections {
		t.Run(tc.name, func(t *testing.T) {
			for _, rules := range roomver.All() {
				want := tc.want
				if !rules.CreateEventImplied {
					want = append([]event.StateKey{{Type: "m.room.create"}}, want...)
				}
				if rules.Restricted {
					want = append(want[:len(want):len(want)], tc.restrict...)
				}
				got := eventauth.AuthKeys(rules, tc.typ, "@s:x", tc.stateKey, []byte(tc.content))
				require.Equal(t, want, got, "version %s", rules.Version)
			}
		})
	}
	for _, rules := range roomver.All() {
		require.Empty(t, eventauth.AuthKeys(rules, "m.room.create", "@s:x", text(""), []byte(`{}`)))
	}
}

// An authList changes the list of auth events of a join by @user:two.example.
type authList func(t *testing.T, r *fixtureRoom, state eventauth.StateMap, list []*event.Event) []*event.Event

var authLists = []struct {
	name        string
	change      authList
	old, newest string // the rule that rejects it, in versions 1 to 11 and in version 12
}{
	{"the selected events are allowed", nil, "", ""},
	{
		"fewer than the selected events are allowed",
		func(_ *testing.T, _ *fixtureRoom, _ eventauth.StateMap, list []*event.Event) []*event.Event {
			return list[:len(list)-1]
		}, "", "",
	},
	{
		"two events for the same key are rejected",
		func(_ *testing.T, _ *fixtureRoom, _ eventauth.StateMap, list []*event.Event) []*event.Event {
			return append(list, list[len(list)-1])
		}, "2.1", "3.1",
	},
	{
		"an event that is not to be selected is rejected",
		func(_ *testing.T, _ *fixtureRoom, state eventauth.StateMap, list []*event.Event) []*event.Event {
			return append(list, state.Event("m.room.member", "@mod:two.example"))
		}, "2.2", "3.2",
	},
	{
		"a message is rejected",
		func(_ *testing.T, r *fixtureRoom, _ eventauth.StateMap, list []*event.Event) []*event.Event {
			return append(list, r.build(fixtureEvent{Type: "m.room.message", Sender: "@user:two.example", Content: json.RawMessage(`{}`)}))
		}, "2.2", "3.2",
	},
	{
		"the create event is rejected where the room ID implies it, and needed elsewhere",
		func(_ *testing.T, r *fixtureRoom, state eventauth.StateMap, list []*event.Event) []*event.Event {
			if r.rules.CreateEventImplied {
				return append(list, state.Event("m.room.create", ""))
			}
			return list[1:]
		}, "2.4", "3.2",
	},
	{
		"an event of another room is rejected",
		func(_ *testing.T, r *fixtureRoom, _ eventauth.StateMap, list []*event.Event) []*event.Event {
			room := id.RoomID("!other:one.example")
			if r.rules.RoomIDIsCreateHash {
				room = "!aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			}
			strange := r.build(fixtureEvent{
				Type: "m.room.join_rules", StateKey: text(""), Sender: "@admin:one.example",
				Content: json.RawMessage(`{"join_rule":"public"}`), RoomID: room,
			})
			return append(list[:len(list)-1], strange)
		}, "2.5", "3.4",
	},
}

func TestAuthEventsAreCheckedThemselves(t *testing.T) {
	join := fixtureEvent{
		Type: "m.room.member", StateKey: text("@user:two.example"), Sender: "@user:two.example",
		Content: json.RawMessage(`{"membership":"join"}`),
	}
	for _, tc := range authLists {
		t.Run(tc.name, func(t *testing.T) {
			for _, rules := range roomver.All() {
				var f fixture
				r, state := f.state(t, rules)
				ev := r.build(join)
				var list []*event.Event
				for _, k := range eventauth.AuthKeysOf(ev) {
					list = append(list, state.Event(k.Type, k.Key))
				}
				if tc.change != nil {
					list = tc.change(t, r, state, list)
				}
				want := tc.old
				if rules.CreateEventImplied {
					want = tc.newest
				}
				requireRule(t, want, eventauth.CheckAuthEvents(rules, ev, list, nil))
			}
		})
	}
}

func requireRule(t *testing.T, want string, err error) {
	t.Helper()
	if want == "" {
		require.NoError(t, err)
		return
	}
	var rejection *eventauth.Rejection
	require.ErrorAs(t, err, &rejection)
	require.Equal(t, want, rejection.Rule, rejection.Reason)
	require.EqualError(t, rejection, "rule "+want+": "+rejection.Reason)
}

func TestARejectedAuthEventRejects(t *testing.T) {
	for _, rules := range roomver.All() {
		var f fixture
		r, state := f.state(t, rules)
		ev := r.build(fixtureEvent{Type: "m.room.message", Sender: "@user:two.example", Content: json.RawMessage(`{}`)})
		var list []*event.Event
		for _, k := range eventauth.AuthKeysOf(ev) {
			list = append(list, state.Event(k.Type, k.Key))
		}
		bad := list[len(list)-1].ID
		err := eventauth.CheckAuthEvents(rules, ev, list, func(eventID id.EventID) bool { return eventID == bad })
		if rules.CreateEventImplied {
			requireRule(t, "3.3", err)
		} else {
			requireRule(t, "2.3", err)
		}
		require.NoError(t, eventauth.CheckAuthEvents(rules, ev, list, func(id.EventID) bool { return false }))
		require.NoError(t, eventauth.CheckAuthEvents(rules, r.create, nil, nil), "the create event has a rule of its own")
	}
}
