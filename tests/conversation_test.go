// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"touchstone.example/tests/harness"
)

// TestConversation lets two users exchange messages through a client library that
// was not written for this server.
func TestConversation(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		ctx := t.Context()
		alice, bob := newPerson(t, s, "alice"), newPerson(t, s, "bob")

		room := alice.create(t, bob.UserID)
		invite := bob.await(t, "the invite", func(e *event.Event) bool {
			return e.Type == event.StateMember && e.RoomID == room && e.GetStateKey() == bob.UserID.String()
		})
		require.Equal(t, event.MembershipInvite, invite.Content.AsMember().Membership)
		_, err := bob.JoinRoomByID(ctx, room)
		require.NoError(t, err)
		alice.await(t, "bob's join", func(e *event.Event) bool {
			return e.Type == event.StateMember && e.GetStateKey() == bob.UserID.String() &&
				e.Content.AsMember().Membership == event.MembershipJoin
		})
		members, err := alice.JoinedMembers(ctx, room)
		require.NoError(t, err)
		require.Len(t, members.Joined, 2)

		talk(t, room, alice, bob)
		changeState(t, room, alice, bob)
		redact(t, room, alice, bob)
		part(t, room, alice, bob)
	})
}

// talk exchanges messages both ways; the other user's long poll receives each.
func talk(t *testing.T, room id.RoomID, alice, bob *person) {
	for _, line := range []struct {
		from, to *person
		text     string
	}{
		{alice, bob, "Hello Bob"}, {bob, alice, "Hello Alice"}, {alice, bob, "How are you? <&> \U0001F600"}, {bob, alice, "Well"},
	} {
		sent, err := line.from.SendText(t.Context(), room, line.text)
		require.NoError(t, err)
		for _, reader := range []*person{line.from, line.to} {
			got := reader.await(t, line.text, func(e *event.Event) bool { return e.ID == sent.EventID })
			require.Equal(t, line.text, got.Content.AsMessage().Body)
			require.Equal(t, line.from.UserID, got.Sender)
		}
	}
	page, err := bob.Messages(t.Context(), room, "", "", mautrix.DirectionBackward, nil, 4)
	require.NoError(t, err)
	require.Len(t, page.Chunk, 4)
	require.NoError(t, page.Chunk[0].Content.ParseRaw(event.EventMessage))
	require.Equal(t, "Well", page.Chunk[0].Content.AsMessage().Body)
}

func changeState(t *testing.T, room id.RoomID, alice, bob *person) {
	ctx := t.Context()
	_, err := alice.SendStateEvent(ctx, room, event.StateRoomName, "", &event.RoomNameEventContent{Name: "The Room"})
	require.NoError(t, err)
	_, err = alice.SendStateEvent(ctx, room, event.StateTopic, "", &event.TopicEventContent{Topic: "Talk"})
	require.NoError(t, err)
	topic := bob.await(t, "the topic", func(e *event.Event) bool {
		return e.Type == event.StateTopic && e.Content.AsTopic().Topic == "Talk"
	})
	require.Equal(t, alice.UserID, topic.Sender)
	var name event.RoomNameEventContent
	require.NoError(t, bob.StateEvent(ctx, room, event.StateRoomName, "", &name))
	require.Equal(t, "The Room", name.Name)
	_, err = bob.SendStateEvent(ctx, room, event.StateRoomName, "", &event.RoomNameEventContent{Name: "Bob's"})
	require.ErrorIs(t, err, mautrix.MForbidden, "bob has no power to name the room")
	all, err := bob.State(ctx, room)
	require.NoError(t, err)
	require.Len(t, all[event.StateMember], 2)
	require.Len(t, all[event.StateCreate], 1)
}

func redact(t *testing.T, room id.RoomID, alice, bob *person) {
	ctx := t.Context()
	sent, err := bob.SendText(ctx, room, "A mistake")
	require.NoError(t, err)
	_, err = bob.RedactEvent(ctx, room, sent.EventID, mautrix.ReqRedact{Reason: "spelling"})
	require.NoError(t, err)
	seen := alice.await(t, "the redaction", func(e *event.Event) bool { return e.Type == event.EventRedaction })
	require.Equal(t, sent.EventID.String(), seen.Content.Raw["redacts"], "room version 12 keeps redacts in the content")
	after, err := alice.GetEvent(ctx, room, sent.EventID)
	require.NoError(t, err)
	require.Empty(t, after.Content.Raw)
	require.NotNil(t, after.Unsigned.RedactedBecause)
}

// part ends it: bob leaves, and logs out while his client waits.
func part(t *testing.T, room id.RoomID, alice, bob *person) {
	ctx := t.Context()
	_, err := bob.LeaveRoom(ctx, room)
	require.NoError(t, err)
	alice.await(t, "bob's leave", func(e *event.Event) bool {
		return e.Type == event.StateMember && e.GetStateKey() == bob.UserID.String() &&
			e.Content.AsMember().Membership == event.MembershipLeave
	})
	_, err = bob.SendText(ctx, room, "Still here?")
	require.ErrorIs(t, err, mautrix.MForbidden)
	_, err = bob.Logout(ctx)
	require.NoError(t, err)
	_, err = bob.Whoami(ctx)
	require.ErrorIs(t, err, mautrix.MUnknownToken)
	_, err = alice.InviteUser(ctx, room, &mautrix.ReqInviteUser{UserID: bob.UserID}) // something to wake up for
	require.NoError(t, err)
	select {
	case err := <-bob.ended:
		require.ErrorIs(t, err, mautrix.MUnknownToken, "syncing ends with the token")
	case <-time.After(awaitTimeout):
		require.Fail(t, "bob's sync goes on after his logout")
	}
}

// awaitTimeout bounds a wait. A long poll is answered within thirty seconds.
const awaitTimeout = 45 * time.Second

// A person is a client that syncs all the time.
type person struct {
	*mautrix.Client
	events chan *event.Event
	ended  chan error
	seen   []*event.Event
}

// newPerson registers, then logs in on a second device, which syncs.
func newPerson(t *testing.T, s *harness.Server, name string) *person {
	ctx := t.Context()
	cli, err := mautrix.NewClient(s.URL(), "", "")
	require.NoError(t, err)
	cli.Client = &http.Client{Transport: s.Transport(t)}
	name = s.Unique(name)
	account, err := cli.RegisterDummy(ctx, &mautrix.ReqRegister[any]{Username: name, Password: harness.Password, InhibitLogin: true})
	require.NoError(t, err)
	login, err := cli.Login(ctx, &mautrix.ReqLogin{
		Type:             mautrix.AuthTypePassword,
		Identifier:       mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: name},
		Password:         harness.Password,
		DeviceID:         "PHONE",
		StoreCredentials: true,
	})
	require.NoError(t, err)
	require.Equal(t, account.UserID, login.UserID)
	require.EqualValues(t, "PHONE", login.DeviceID)

	p := &person{Client: cli, events: make(chan *event.Event, 1000), ended: make(chan error, 1)}
	syncer := mautrix.NewDefaultSyncer()
	syncer.OnEvent(func(_ context.Context, e *event.Event) { p.events <- e })
	cli.Syncer = syncer
	syncing, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := cli.SyncWithContext(syncing)
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, mautrix.MUnknownToken) {
			t.Errorf("%s's sync: %v", name, err)
		}
		p.ended <- err
	}()
	t.Cleanup(func() { stop(); <-done })
	return p
}

func (p *person) create(t *testing.T, invited id.UserID) id.RoomID {
	t.Helper()
	made, err := p.CreateRoom(t.Context(), &mautrix.ReqCreateRoom{Preset: "private_chat", Invite: []id.UserID{invited}, IsDirect: true})
	require.NoError(t, err)
	return made.RoomID
}

// await returns the first event that arrived, or arrives, and is the one.
func (p *person) await(t *testing.T, what string, is func(*event.Event) bool) *event.Event {
	t.Helper()
	for _, e := range p.seen {
		if is(e) {
			return e
		}
	}
	timeout := time.After(awaitTimeout)
	for {
		select {
		case e := <-p.events:
			p.seen = append(p.seen, e)
			if is(e) {
				return e
			}
		case <-timeout:
			require.Fail(t, "never came", "%s, to %s", what, p.UserID)
		}
	}
}
