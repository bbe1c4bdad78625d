// SPDX-License-Identifier: Apache-2.0

package messages

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/go-json-experiment/json"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/server/feed"
	"touchstone.example/server/roomerrors"
	"touchstone.example/server/roomview"
	"touchstone.example/server/visibility"
	"touchstone.example/storage"
)

var _ clientapi.Rooms = (*Messages)(nil)

// GetOneRoomEvent returns one event that the caller may see. An event that may
// not be seen is answered like one that does not exist.
//
// Spec: client-server getOneRoomEvent.
func (m *Messages) GetOneRoomEvent(ctx context.Context, who api.Caller, req *clientapi.GetOneRoomEventRequest) (*clientapi.GetOneRoomEventResponse, error) {
	view := m.view(who)
	var body raw.Raw
	err := m.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		body, err = view.ReadEvent(ctx, tx, req.RoomID, req.EventID)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, api.NotFound("Event %s is unknown in room %s, or not for you to see", req.EventID, req.RoomID)
	}
	if err != nil {
		return nil, fmt.Errorf("read event %s: %w", req.EventID, err)
	}
	return &clientapi.GetOneRoomEventResponse{Body: body}, nil
}

func (m *Messages) view(who api.Caller) *roomview.View {
	return roomview.NewView(who.User, who.Device, m.Env.NowTS())
}

// readState opens the state of a room that the caller may read: the current
// one, or that at which the caller left.
func (m *Messages) readState(ctx context.Context, who api.Caller, roomID id.RoomID, fn func(tx *storage.Reader, state *roomview.State) error) error {
	nid, err := m.Rooms.NID(ctx, roomID)
	if err != nil {
		return roomerrors.ToClient(err, roomID)
	}
	return m.DB.Read(ctx, func(tx *storage.Reader) error {
		state, err := roomview.ReadableState(ctx, tx, nid, who.User)
		if errors.Is(err, roomview.ErrHidden) {
			return api.Forbidden("You are not in room %s", roomID)
		}
		if err != nil {
			return err
		}
		return fn(tx, state)
	})
}

// GetRoomState returns the current state of a room, or that at which the
// caller left it.
//
// Spec: client-server getRoomState.
func (m *Messages) GetRoomState(ctx context.Context, who api.Caller, req *clientapi.GetRoomStateRequest) (*clientapi.GetRoomStateResponse, error) {
	out := &clientapi.GetRoomStateResponse{Body: []raw.Raw{}}
	err := m.readState(ctx, who, req.RoomID, func(tx *storage.Reader, state *roomview.State) error {
		events, err := roomview.WholeState(ctx, tx, state.Root, storage.StateAll)
		if err != nil {
			return err
		}
		out.Body, err = m.view(who).List(ctx, tx, events, req.RoomID)
		return err
	})
	return out, err
}

// GetRoomStateWithKey returns one state event's content, or all of it.
//
// Spec: client-server getRoomStateWithKey.
func (m *Messages) GetRoomStateWithKey(ctx context.Context, who api.Caller, req *clientapi.GetRoomStateWithKeyRequest) (*clientapi.GetRoomStateWithKeyResponse, error) {
	out := &clientapi.GetRoomStateWithKeyResponse{}
	err := m.readState(ctx, who, req.RoomID, func(tx *storage.Reader, state *roomview.State) error {
		key := storage.StateKey{Type: req.EventType, Key: req.StateKey}
		found, err := tx.StateGet(ctx, state.Root, key)
		if err != nil {
			return err
		}
		nid, ok := found[key]
		if !ok {
			return api.NotFound("Room %s has no state %s with key %q", req.RoomID, req.EventType, req.StateKey)
		}
		events, err := tx.ViewsByNID(ctx, []int64{nid})
		if err != nil {
			return err
		}
		if req.Format.Value != clientapi.StateFormatEvent {
			out.Body = roomview.Content(events[0].Client)
			return nil
		}
		list, err := m.view(who).List(ctx, tx, events, req.RoomID)
		if err == nil {
			out.Body = list[0]
		}
		return err
	})
	return out, err
}

// GetMembersByRoom lists the membership events of a room, now or at a token,
// but not past what the caller may read.
//
// Spec: client-server getMembersByRoom.
func (m *Messages) GetMembersByRoom(ctx context.Context, who api.Caller, req *clientapi.GetMembersByRoomRequest) (*clientapi.GetMembersByRoomResponse, error) {
	out := &clientapi.GetMembersByRoomResponse{Chunk: []raw.Raw{}}
	at, err := m.moment(ctx, req.At)
	if err != nil {
		return nil, err
	}
	err = m.readState(ctx, who, req.RoomID, func(tx *storage.Reader, state *roomview.State) error {
		root := state.Root
		if at < state.UpTo {
			root, err = roomview.StateAt(ctx, tx, state.Room.NID, who.User, at)
			if errors.Is(err, roomview.ErrHidden) {
				return api.Forbidden("You may not know who was in room %s then", req.RoomID)
			}
			if err != nil {
				return err
			}
		}
		events, err := roomview.WholeState(ctx, tx, root, storage.StateMembers)
		if err != nil {
			return err
		}
		events = slices.DeleteFunc(events, func(e *storage.Event) bool { return !membershipMatches(req, roomview.MembershipOf(e)) })
		out.Chunk, err = m.view(who).List(ctx, tx, events, req.RoomID)
		return err
	})
	return out, err
}

// moment returns a token's position. Without a token, or with one whose position the
// database has not reached, it is now.
func (m *Messages) moment(ctx context.Context, at api.Opt[string]) (pos int64, err error) {
	if !at.Set {
		return math.MaxInt64, nil
	}
	token, err := feed.ParseToken(at.Value)
	if err != nil {
		return 0, api.InvalidParam("at: %s", err)
	}
	_, err = m.Feed.Reach(ctx, &token)
	if errors.Is(err, feed.ErrFuture) {
		return math.MaxInt64, nil
	}
	return token.Pos, feedError(err)
}

// wanted applies the filter of a list of members. With both halves of it, one
// is enough.
//
// Spec: client-server getMembersByRoom, "membership": "an 'or' condition".
func membershipMatches(req *clientapi.GetMembersByRoomRequest, membership string) bool {
	is := string(req.Membership.Value) == membership
	isNot := string(req.NotMembership.Value) != membership
	switch {
	case req.Membership.Set && req.NotMembership.Set:
		return is || isNot
	case req.Membership.Set:
		return is
	case req.NotMembership.Set:
		return isNot
	}
	return true
}

// GetJoinedMembersByRoom lists the members of a room with their profiles in it.
//
// Spec: client-server getJoinedMembersByRoom.
func (m *Messages) GetJoinedMembersByRoom(ctx context.Context, who api.Caller, req *clientapi.GetJoinedMembersByRoomRequest) (*clientapi.GetJoinedMembersByRoomResponse, error) {
	out := &clientapi.GetJoinedMembersByRoomResponse{Joined: map[id.UserID]clientapi.JoinedMember{}}
	err := m.readState(ctx, who, req.RoomID, func(tx *storage.Reader, state *roomview.State) error {
		own, err := tx.Membership(ctx, state.Room.NID, who.User)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		if err != nil || own.Membership != "join" {
			return api.Forbidden("You are not in room %s", req.RoomID)
		}
		events, err := roomview.WholeState(ctx, tx, state.Root, storage.StateMembers)
		if err != nil {
			return err
		}
		for _, e := range events {
			content := roomview.Content(e.Client)
			if visibility.MembershipOf(content) == visibility.Join {
				out.Joined[id.UserID(*e.StateKey)] = joinedProfile(content, m.JoinedProfile)
			}
		}
		return nil
	})
	return out, err
}

// joinedProfile reads the profile in a member's event. whole says that what is
// absent is empty instead.
func joinedProfile(content raw.Raw, whole bool) (p clientapi.JoinedMember) {
	if whole {
		p.DisplayName, p.AvatarURL = api.Some(""), api.Some("")
	}
	var fields struct {
		DisplayName raw.Raw `json:"displayname"`
		AvatarURL   raw.Raw `json:"avatar_url"`
	}
	if json.Unmarshal(content, &fields) != nil {
		return p
	}
	if name, ok := event.Text(fields.DisplayName); ok {
		p.DisplayName = api.Some(name)
	}
	if url, ok := event.Text(fields.AvatarURL); ok {
		p.AvatarURL = api.Some(url)
	}
	return p
}
