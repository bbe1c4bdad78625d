// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"cmp"
	"context"
	"errors"
	"math"

	"touchstone.example/api/id"
	"touchstone.example/server/visibility"
	"touchstone.example/storage"
)

// A Sight decides which events of one room a user may see, and knows the
// user's membership at each. It is made for one snapshot.
//
// Spec: client-server "Room History Visibility".
type Sight struct {
	tx   *storage.Reader
	user id.UserID
	now  *storage.Membership // nil: none
	// joins are the places at which the user joined, earliest first; read
	// when an event from outside the present membership is asked about.
	joins  []storage.Place
	asked  bool
	states map[string]visibility.State // by root
	told   map[int64]*storage.Event    // the events that say so, which many states share
}

// NewSight looks at a room with a user's eyes.
func NewSight(ctx context.Context, tx *storage.Reader, roomNID int64, user id.UserID) (*Sight, error) {
	now, err := tx.Membership(ctx, roomNID, user)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	return SightOf(tx, user, now), nil
}

// SightOf is NewSight where the user's membership, or nil, is known.
func SightOf(tx *storage.Reader, user id.UserID, now *storage.Membership) *Sight {
	return &Sight{tx: tx, user: user, now: now, states: map[string]visibility.State{}, told: map[int64]*storage.Event{}}
}

// Filter returns the events that the user may see, and notes in memberships
// what the user was at each of them.
func (s *Sight) Filter(ctx context.Context, events []*storage.Event, memberships map[int64]string) ([]*storage.Event, error) {
	seen := events[:0:0]
	for _, e := range events {
		ok, at, err := s.Sees(ctx, e)
		if err != nil {
			return nil, err
		}
		if ok {
			seen = append(seen, e)
			memberships[e.NID] = at
		}
	}
	return seen, nil
}

// joinedBefore reports whether an event is known to belong to the user's present
// stay. One of a fork may have arrived since and come from before it.
func (s *Sight) joinedBefore(e *storage.Event) bool {
	return !e.Forked && s.now != nil && s.now.Membership == "join" && e.Pos >= s.now.Pos
}

// Sees decides about one event. at is the user's membership with the event
// applied: leave where the user never had any.
//
// Spec: client-server "Room event format", unsigned.membership.
func (s *Sight) Sees(ctx context.Context, e *storage.Event) (ok bool, at string, err error) {
	if s.joinedBefore(e) {
		return true, "join", nil
	}
	before, err := s.state(ctx, e.RoomNID, e.StateBefore)
	if err != nil {
		return false, "", err
	}
	after := before.With(s.user, e.Type, e.StateKey, Content(e.Client))
	viewer, err := s.viewer(ctx, e.RoomNID, e.Place())
	if err != nil {
		return false, "", err
	}
	ok, _ = visibility.Event(before, after, viewer)
	return ok, cmp.Or(string(after.Membership), string(visibility.Leave)), nil
}

// Reach decides which state of the room the user may read, and the position
// at which it was.
func (s *Sight) Reach(ctx context.Context, room *storage.Room) (visibility.Reach, error) {
	now, err := s.state(ctx, room.NID, room.StateRoot)
	if err != nil {
		return visibility.Nowhere, err
	}
	if err := s.loadJoins(ctx, room.NID); err != nil {
		return visibility.Nowhere, err
	}
	reach, _ := visibility.Room(now, visibility.Viewer{EverJoined: len(s.joins) > 0, Forgotten: s.forgotten()})
	return reach, nil
}

// StateUntil is the position up to which the user may read the state of the
// room: that of the departure for who has left, 0 for who may read none of it.
func (s *Sight) StateUntil(ctx context.Context, room *storage.Room) (int64, error) {
	reach, err := s.Reach(ctx, room)
	if err != nil {
		return 0, err
	}
	switch reach {
	case visibility.ToNow:
		return math.MaxInt64, nil
	case visibility.ToEndOfMembership:
		return departure(ctx, s.tx, room.NID, s.user)
	}
	return 0, nil
}

func (s *Sight) forgotten() bool { return s.now != nil && s.now.Forgotten }

// viewer is what the user has had to do with the room, seen from a place.
func (s *Sight) viewer(ctx context.Context, roomNID int64, from storage.Place) (visibility.Viewer, error) {
	if err := s.loadJoins(ctx, roomNID); err != nil {
		return visibility.Viewer{}, err
	}
	v := visibility.Viewer{EverJoined: len(s.joins) > 0, Forgotten: s.forgotten()}
	for _, p := range s.joins {
		if after(p, from) {
			v.JoinedSince = true
		}
	}
	return v, nil
}

// SeesMoment decides about the room as it was at a position: its state, which is
// at root, is for those who may see an event that was sent then.
func (s *Sight) SeesMoment(ctx context.Context, roomNID, pos int64, root string) (bool, error) {
	last, err := s.tx.PlaceAt(ctx, roomNID, pos)
	if errors.Is(err, storage.ErrNotFound) {
		return true, nil // the room did not exist, and nothing can be seen
	}
	if err != nil {
		return false, err
	}
	then, err := s.state(ctx, roomNID, root)
	if err != nil {
		return false, err
	}
	viewer, err := s.viewer(ctx, roomNID, last)
	if err != nil {
		return false, err
	}
	ok, _ := visibility.Event(then, then, viewer)
	return ok, nil
}

// WasIn reports whether the user had joined the room before an event.
func (s *Sight) WasIn(ctx context.Context, e *storage.Event) (bool, error) {
	err := s.loadJoins(ctx, e.RoomNID)
	return len(s.joins) > 0 && after(e.Place(), s.joins[0]), err
}

func after(p, q storage.Place) bool {
	return p.Depth > q.Depth || p.Depth == q.Depth && p.NID > q.NID
}

func (s *Sight) loadJoins(ctx context.Context, roomNID int64) error {
	if s.asked {
		return nil
	}
	events, err := s.tx.MemberEvents(ctx, roomNID, s.user)
	if err != nil {
		return err
	}
	for _, e := range events {
		if visibility.MembershipOf(Content(e.Client)) == visibility.Join {
			s.joins = append(s.joins, e.Place())
		}
	}
	s.asked = true
	return nil
}

var keyHistory = storage.StateKey{Type: "m.room.history_visibility"}

// state reads what a state of the room says about the user.
func (s *Sight) state(ctx context.Context, roomNID int64, root string) (visibility.State, error) {
	if st, known := s.states[root]; known || root == "" {
		return st, nil
	}
	found, err := s.tx.StateGet(ctx, root, keyHistory, storage.StateKey{Type: "m.room.member", Key: string(s.user)})
	if err != nil {
		return visibility.State{}, err
	}
	var unread []int64
	for _, nid := range found {
		if s.told[nid] == nil {
			unread = append(unread, nid)
		}
	}
	if len(unread) > 0 {
		events, err := s.tx.ViewsByNID(ctx, unread)
		if err != nil {
			return visibility.State{}, err
		}
		for _, e := range events {
			s.told[e.NID] = e
		}
	}
	st := visibility.State{History: visibility.Shared}
	for _, nid := range found { // of two types, so that their order does not matter
		if e := s.told[nid]; e != nil {
			st = st.With(s.user, e.Type, e.StateKey, Content(e.Client))
		}
	}
	s.states[root] = st
	return st, nil
}
