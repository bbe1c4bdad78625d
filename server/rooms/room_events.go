// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/feed"
	"touchstone.example/server/visibility"
	"touchstone.example/storage"
)

var (
	_ clientapi.Rooms           = (*Rooms)(nil)
	_ clientapi.ListJoinedRooms = (*Rooms)(nil)
)

// GetOneRoomEvent returns one event that the caller may see. An event that may
// not be seen is answered like one that does not exist.
//
// Spec: client-server getOneRoomEvent.
func (r *Rooms) GetOneRoomEvent(ctx context.Context, who api.Caller, req *clientapi.GetOneRoomEventRequest) (*clientapi.GetOneRoomEventResponse, error) {
	unseen := api.NotFound("Event %s is unknown in room %s, or not for you to see", req.EventID, req.RoomID)
	view := r.view(who)
	var body api.Raw
	err := r.db.Read(ctx, func(tx *storage.Reader) error {
		e, err := tx.Event(ctx, req.EventID)
		if err != nil {
			return err
		}
		room, err := roomByNID(ctx, tx, e.RoomNID)
		if err != nil {
			return err
		}
		relayed, err := isRelayed(ctx, tx, room, e)
		if err != nil {
			return err
		}
		if room.ID != req.RoomID || !relayed {
			return storage.ErrNotFound
		}
		sight, err := NewSight(ctx, tx, room.NID, who.User)
		if err != nil {
			return err
		}
		seen, err := sight.Filter(ctx, []*storage.Event{e}, view.Memberships)
		if err != nil {
			return err
		}
		if len(seen) == 0 {
			return storage.ErrNotFound
		}
		if err := view.LoadOthers(ctx, tx, seen); err != nil {
			return err
		}
		if err := view.Hide(ctx, sight, seen); err != nil {
			return err
		}
		body = view.Event(e, req.RoomID)
		return nil
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, unseen
	}
	if err != nil {
		return nil, fmt.Errorf("read event %s: %w", req.EventID, err)
	}
	return &clientapi.GetOneRoomEventResponse{Body: body}, nil
}

// isRelayed tells whether clients may be told of an event at all. Of those that
// were soft-failed, only what came to be in the room's state.
//
// Spec: server-server "Rejection" and "Soft failure".
func isRelayed(ctx context.Context, tx *storage.Reader, room *storage.Room, e *storage.Event) (bool, error) {
	switch {
	case e.Rejected || e.Outlier:
		return false, nil
	case !e.SoftFailed:
		return true, nil
	case e.StateKey == nil:
		return false, nil
	}
	key := storage.StateKey{Type: e.Type, Key: *e.StateKey}
	found, err := tx.StateGet(ctx, room.StateRoot, key)
	return found[key] == e.NID, err
}

func (r *Rooms) view(who api.Caller) *View {
	return &View{Caller: who, Now: r.env.NowTS(), Memberships: map[int64]string{}}
}

// GetJoinedRooms lists the rooms that the caller is in.
//
// Spec: client-server getJoinedRooms.
func (r *Rooms) GetJoinedRooms(ctx context.Context, who api.Caller, _ *clientapi.GetJoinedRoomsRequest) (*clientapi.GetJoinedRoomsResponse, error) {
	out := &clientapi.GetJoinedRoomsResponse{JoinedRooms: []id.RoomID{}}
	err := r.db.Read(ctx, func(tx *storage.Reader) error {
		memberships, err := tx.MembershipsOf(ctx, who.User, "join")
		if err != nil {
			return err
		}
		nids := make([]int64, len(memberships))
		for i, m := range memberships {
			nids[i] = m.RoomNID
		}
		ids, err := tx.RoomIDs(ctx, nids)
		for _, nid := range nids {
			out.JoinedRooms = append(out.JoinedRooms, ids[nid])
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("rooms of %s: %w", who.User, err)
	}
	return out, nil
}

// A latest is the newest state of a room that somebody may read, and the
// position up to which it is.
type latest struct {
	root string
	upTo int64
}

// readState opens the state of a room that the caller may read: the current
// one, or that at which the caller left.
func (r *Rooms) readState(ctx context.Context, who api.Caller, roomID id.RoomID, fn func(tx *storage.Reader, room *storage.Room, state latest) error) error {
	nid, err := r.roomNID(ctx, roomID)
	if err != nil {
		return err
	}
	return r.db.Read(ctx, func(tx *storage.Reader) error {
		room, err := roomByNID(ctx, tx, nid)
		if err != nil {
			return err
		}
		sight, err := NewSight(ctx, tx, nid, who.User)
		if err != nil {
			return err
		}
		until, err := sight.StateUntil(ctx, room)
		switch {
		case err != nil:
			return err
		case until == math.MaxInt64:
			return fn(tx, room, latest{room.StateRoot, until})
		case until == 0:
			return api.Forbidden("You are not in room %s", roomID)
		}
		root, err := tx.RoomStateAt(ctx, nid, until)
		if err != nil {
			return err
		}
		return fn(tx, room, latest{root, until})
	})
}

// departure returns the position at which a user's last membership of a room
// ended. Being invited or banned later moves it no further.
func departure(ctx context.Context, tx *storage.Reader, nid int64, user id.UserID) (pos int64, err error) {
	events, err := tx.MemberEvents(ctx, nid, user)
	if err != nil {
		return 0, err
	}
	for i, e := range events {
		was := i > 0 && MembershipOf(events[i-1]) == "join"
		if was && MembershipOf(e) != "join" {
			pos = e.Pos
		}
	}
	return pos, nil
}

// GetRoomState returns the current state of a room, or that at which the
// caller left it.
//
// Spec: client-server getRoomState.
func (r *Rooms) GetRoomState(ctx context.Context, who api.Caller, req *clientapi.GetRoomStateRequest) (*clientapi.GetRoomStateResponse, error) {
	out := &clientapi.GetRoomStateResponse{Body: []api.Raw{}}
	err := r.readState(ctx, who, req.RoomID, func(tx *storage.Reader, _ *storage.Room, state latest) error {
		events, err := WholeState(ctx, tx, state.root, storage.StateAll)
		if err != nil {
			return err
		}
		out.Body, err = r.list(ctx, tx, who, events, req.RoomID)
		return err
	})
	return out, err
}

// list writes events that the caller may see anyway, in the client format.
func (r *Rooms) list(ctx context.Context, tx *storage.Reader, who api.Caller, events []*storage.Event, roomID id.RoomID) ([]api.Raw, error) {
	if len(events) == 0 {
		return []api.Raw{}, nil
	}
	view := r.view(who)
	if err := view.LoadOthers(ctx, tx, events); err != nil {
		return nil, err
	}
	sight, err := NewSight(ctx, tx, events[0].RoomNID, who.User)
	if err != nil {
		return nil, err
	}
	if err := view.Hide(ctx, sight, events); err != nil {
		return nil, err
	}
	out := make([]api.Raw, len(events))
	for i, e := range events {
		out[i] = view.Event(e, roomID)
	}
	return out, nil
}

// WholeState reads all events of a state, in the order of their rows.
func WholeState(ctx context.Context, tx *storage.Reader, root string, class storage.StateClass) ([]*storage.Event, error) {
	nids, err := tx.StateLoad(ctx, root, class)
	if err != nil {
		return nil, err
	}
	slices.Sort(nids)
	return tx.ViewsByNID(ctx, nids)
}

// GetRoomStateWithKey returns one state event's content, or all of it.
//
// Spec: client-server getRoomStateWithKey.
func (r *Rooms) GetRoomStateWithKey(ctx context.Context, who api.Caller, req *clientapi.GetRoomStateWithKeyRequest) (*clientapi.GetRoomStateWithKeyResponse, error) {
	out := &clientapi.GetRoomStateWithKeyResponse{}
	err := r.readState(ctx, who, req.RoomID, func(tx *storage.Reader, _ *storage.Room, state latest) error {
		key := storage.StateKey{Type: req.EventType, Key: req.StateKey}
		found, err := tx.StateGet(ctx, state.root, key)
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
			out.Body = Content(events[0].Client)
			return nil
		}
		list, err := r.list(ctx, tx, who, events, req.RoomID)
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
func (r *Rooms) GetMembersByRoom(ctx context.Context, who api.Caller, req *clientapi.GetMembersByRoomRequest) (*clientapi.GetMembersByRoomResponse, error) {
	out := &clientapi.GetMembersByRoomResponse{Chunk: []api.Raw{}}
	at, err := r.moment(ctx, req.At)
	if err != nil {
		return nil, err
	}
	err = r.readState(ctx, who, req.RoomID, func(tx *storage.Reader, room *storage.Room, state latest) error {
		root := state.root
		if at < state.upTo {
			if root, err = r.stateThen(ctx, tx, who, room, at); err != nil {
				return err
			}
		}
		events, err := WholeState(ctx, tx, root, storage.StateMembers)
		if err != nil {
			return err
		}
		events = slices.DeleteFunc(events, func(e *storage.Event) bool { return !wanted(req, MembershipOf(e)) })
		out.Chunk, err = r.list(ctx, tx, who, events, req.RoomID)
		return err
	})
	return out, err
}

// moment is the position that a token is of. There is none without a token, nor
// for one of a future that has not happened: then the moment is now.
func (r *Rooms) moment(ctx context.Context, at api.Opt[string]) (pos int64, err error) {
	if !at.Set {
		return math.MaxInt64, nil
	}
	token, err := feed.ParseToken(at.Value)
	if err != nil {
		return 0, api.InvalidParam("at: %s", err)
	}
	_, err = r.feed.Reach(ctx, &token)
	if errors.Is(err, feed.ErrFuture) {
		return math.MaxInt64, nil
	}
	return token.Pos, behind(err)
}

// stateThen is the state of a room at an earlier position, if the caller may
// know it.
//
// Spec: client-server "Room History Visibility".
func (r *Rooms) stateThen(ctx context.Context, tx *storage.Reader, who api.Caller, room *storage.Room, pos int64) (string, error) {
	root, err := tx.RoomStateAt(ctx, room.NID, pos)
	if err != nil {
		return "", err
	}
	sight, err := NewSight(ctx, tx, room.NID, who.User)
	if err != nil {
		return "", err
	}
	ok, err := sight.SeesMoment(ctx, room.NID, pos, root)
	if err == nil && !ok {
		err = api.Forbidden("You may not know who was in room %s then", room.ID)
	}
	return root, err
}

// wanted applies the filter of a list of members. With both halves of it, one
// is enough.
//
// Spec: client-server getMembersByRoom, "membership": "an 'or' condition".
func wanted(req *clientapi.GetMembersByRoomRequest, membership string) bool {
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
func (r *Rooms) GetJoinedMembersByRoom(ctx context.Context, who api.Caller, req *clientapi.GetJoinedMembersByRoomRequest) (*clientapi.GetJoinedMembersByRoomResponse, error) {
	out := &clientapi.GetJoinedMembersByRoomResponse{Joined: map[id.UserID]clientapi.JoinedMember{}}
	err := r.readState(ctx, who, req.RoomID, func(tx *storage.Reader, room *storage.Room, state latest) error {
		m, err := tx.Membership(ctx, room.NID, who.User)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		if err != nil || m.Membership != "join" {
			return api.Forbidden("You are not in room %s", req.RoomID)
		}
		events, err := WholeState(ctx, tx, state.root, storage.StateMembers)
		if err != nil {
			return err
		}
		for _, e := range events {
			content := Content(e.Client)
			if visibility.MembershipOf(content) == visibility.Join {
				out.Joined[id.UserID(*e.StateKey)] = joinedProfile(content, r.departs.JoinedProfile)
			}
		}
		return nil
	})
	return out, err
}
