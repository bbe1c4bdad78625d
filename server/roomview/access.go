// SPDX-License-Identifier: Apache-2.0

package roomview

import (
	"cmp"
	"context"
	"errors"
	"math"

	"touchstone.example/api/id"
	"touchstone.example/server/visibility"
	"touchstone.example/storage"
)

// An Access decides which events of one room a user may see, and knows the
// user's membership at each. It is made for one snapshot.
//
// Spec: client-server "Room History Visibility".
type Access struct {
	tx   *storage.Reader
	user id.UserID
	now  *storage.Membership // nil: none
	// joins are the topological positions at which the user joined, earliest first.
	// They are read only for an event from before the current membership.
	joins  []storage.TopoPos
	asked  bool
	states map[string]visibility.State // by root
	told   map[int64]*storage.Event    // the events that decide this, shared by many states
}

// AccessOf reads a user's membership of a room and returns the access that it gives.
func AccessOf(ctx context.Context, tx *storage.Reader, roomNID int64, user id.UserID) (*Access, error) {
	now, err := tx.Membership(ctx, roomNID, user)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	return NewAccess(tx, user, now), nil
}

// NewAccess is AccessOf for a known membership, nil for none.
func NewAccess(tx *storage.Reader, user id.UserID, now *storage.Membership) *Access {
	return &Access{tx: tx, user: user, now: now, states: map[string]visibility.State{}, told: map[int64]*storage.Event{}}
}

// Filter returns the events that the user may see, and writes the user's membership at
// each of them into memberships.
func (a *Access) Filter(ctx context.Context, events []*storage.Event, memberships map[int64]string) ([]*storage.Event, error) {
	seen := events[:0:0]
	for _, e := range events {
		ok, at, err := a.CanSee(ctx, e)
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

// joinedBefore reports whether an event is certainly after the user's current join. An
// event of a fork may have arrived after the join and precede it.
func (a *Access) joinedBefore(e *storage.Event) bool {
	return !e.Forked && a.now != nil && a.now.Membership == "join" && e.Pos >= a.now.Pos
}

// CanSee reports whether the user may see an event. at is the user's membership with
// the event applied: leave if there never was any.
//
// Spec: client-server "Room event format", unsigned.membership.
func (a *Access) CanSee(ctx context.Context, e *storage.Event) (ok bool, at string, err error) {
	if a.joinedBefore(e) {
		return true, "join", nil
	}
	before, err := a.state(ctx, e.RoomNID, e.StateBefore)
	if err != nil {
		return false, "", err
	}
	after := before.With(a.user, e.Type, e.StateKey, Content(e.Client))
	viewer, err := a.viewer(ctx, e.RoomNID, e.TopoPos())
	if err != nil {
		return false, "", err
	}
	ok, _ = visibility.Event(before, after, viewer)
	return ok, cmp.Or(string(after.Membership), string(visibility.Leave)), nil
}

// reach returns which state of the room the user may read, and its position.
func (a *Access) reach(ctx context.Context, room *storage.Room) (visibility.Reach, error) {
	now, err := a.state(ctx, room.NID, room.StateRoot)
	if err != nil {
		return visibility.Nowhere, err
	}
	if err := a.loadJoins(ctx, room.NID); err != nil {
		return visibility.Nowhere, err
	}
	reach, _ := visibility.Room(now, visibility.Viewer{EverJoined: len(a.joins) > 0, Forgotten: a.forgotten()})
	return reach, nil
}

// StateUntil is the last position whose room state the user may read: that of the leave
// for a user who has left, 0 if they may read none.
func (a *Access) StateUntil(ctx context.Context, room *storage.Room) (int64, error) {
	reach, err := a.reach(ctx, room)
	if err != nil {
		return 0, err
	}
	switch reach {
	case visibility.ToNow:
		return math.MaxInt64, nil
	case visibility.ToEndOfMembership:
		return leftAt(ctx, a.tx, room.NID, a.user)
	}
	return 0, nil
}

func (a *Access) forgotten() bool { return a.now != nil && a.now.Forgotten }

// viewer is the user's memberships of the room, relative to a topological position.
func (a *Access) viewer(ctx context.Context, roomNID int64, from storage.TopoPos) (visibility.Viewer, error) {
	if err := a.loadJoins(ctx, roomNID); err != nil {
		return visibility.Viewer{}, err
	}
	v := visibility.Viewer{EverJoined: len(a.joins) > 0, Forgotten: a.forgotten()}
	for _, p := range a.joins {
		if after(p, from) {
			v.JoinedSince = true
		}
	}
	return v, nil
}

// CanSeeStateAt reports whether the user may read the room's state at a position:
// exactly if the user could see an event sent at that position. root is that state.
func (a *Access) CanSeeStateAt(ctx context.Context, roomNID, pos int64, root string) (bool, error) {
	last, err := a.tx.TopoPosAt(ctx, roomNID, pos)
	if errors.Is(err, storage.ErrNotFound) {
		return true, nil // the room did not exist yet
	}
	if err != nil {
		return false, err
	}
	then, err := a.state(ctx, roomNID, root)
	if err != nil {
		return false, err
	}
	viewer, err := a.viewer(ctx, roomNID, last)
	if err != nil {
		return false, err
	}
	ok, _ := visibility.Event(then, then, viewer)
	return ok, nil
}

// WasIn reports whether the user had joined the room before an event.
func (a *Access) WasIn(ctx context.Context, e *storage.Event) (bool, error) {
	err := a.loadJoins(ctx, e.RoomNID)
	return len(a.joins) > 0 && after(e.TopoPos(), a.joins[0]), err
}

func after(p, q storage.TopoPos) bool {
	return p.Depth > q.Depth || p.Depth == q.Depth && p.NID > q.NID
}

func (a *Access) loadJoins(ctx context.Context, roomNID int64) error {
	if a.asked {
		return nil
	}
	events, err := a.tx.MemberEvents(ctx, roomNID, a.user)
	if err != nil {
		return err
	}
	for _, e := range events {
		if visibility.MembershipOf(Content(e.Client)) == visibility.Join {
			a.joins = append(a.joins, e.TopoPos())
		}
	}
	a.asked = true
	return nil
}

var keyHistory = storage.StateKey{Type: "m.room.history_visibility"}

// state reads the history visibility and the user's membership from a state of the
// room.
func (a *Access) state(ctx context.Context, roomNID int64, root string) (visibility.State, error) {
	if st, known := a.states[root]; known || root == "" {
		return st, nil
	}
	found, err := a.tx.StateGet(ctx, root, keyHistory, storage.StateKey{Type: "m.room.member", Key: string(a.user)})
	if err != nil {
		return visibility.State{}, err
	}
	var unread []int64
	for _, nid := range found {
		if a.told[nid] == nil {
			unread = append(unread, nid)
		}
	}
	if len(unread) > 0 {
		events, err := a.tx.ViewsByNID(ctx, unread)
		if err != nil {
			return visibility.State{}, err
		}
		for _, e := range events {
			a.told[e.NID] = e
		}
	}
	st := visibility.State{History: visibility.Shared}
	for _, nid := range found { // they differ in type, so that their order does not matter
		if e := a.told[nid]; e != nil {
			st = st.With(a.user, e.Type, e.StateKey, Content(e.Client))
		}
	}
	a.states[root] = st
	return st, nil
}
