// SPDX-License-Identifier: Apache-2.0

package e2ee

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/server/feed"
	"touchstone.example/server/roomview"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
)

// GetKeysChanges lists the users whose devices have changed since a token, and
// those with whom the caller shares no room any more.
//
// Spec: client-server getKeysChanges. "to" is a hint: what came after it is told
// too, since it is not known of a user who has changed twice when that was first.
func (e *E2EE) GetKeysChanges(ctx context.Context, who api.Caller, req *clientapi.GetKeysChangesRequest) (*clientapi.GetKeysChangesResponse, error) {
	var since, upTo int64
	for _, t := range []struct{ name, text string }{{"from", req.From}, {"to", req.To}} {
		token, err := feed.ParseToken(t.text)
		if err != nil {
			return nil, api.InvalidParam("%s: %s", t.name, err)
		}
		pos, err := e.Feed.Reach(ctx, &token)
		if errors.Is(err, feed.ErrFuture) { // everything, as of now
			token.Pos = 0
			pos, err = e.Feed.Reach(ctx, nil)
		}
		if err != nil {
			return nil, err
		}
		if t.name == "from" {
			since = token.Pos
		}
		upTo = max(upTo, pos)
	}
	out := &clientapi.GetKeysChangesResponse{Changed: []string{}, Left: []string{}}
	err := e.DB.Read(ctx, func(tx *storage.Reader) error {
		d, err := deviceLists(ctx, tx, who.User, since, upTo, true)
		if err == nil {
			out.Changed, out.Left = texts(d.Changed), texts(d.Left)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("changes of keys for %s: %w", who.User, err)
	}
	return out, nil
}

func texts(users []id.UserID) []string {
	out := make([]string, len(users))
	for i, u := range users {
		out[i] = string(u)
	}
	return out
}

// deviceLists are the users whose device lists a client that knew all of them as of
// since must ask for, and those that it need not follow any more. moved says that
// memberships may have changed. What has changed after upTo is told with the next
// answer, though some of it may be told already with this one.
//
// Rooms count whether they are encrypted or not: see
// docs/decisions/0100-device-lists-by-shared-rooms.md.
func deviceLists(ctx context.Context, tx *storage.Reader, user id.UserID, since, upTo int64, moved bool) (*syncpart.DeviceLists, error) {
	m := &moves{user: user, since: since, tx: tx}
	changed, err := tx.DeviceListsChanged(ctx, since, upTo)
	if err != nil {
		return nil, err
	}
	signed, err := tx.SignedUsers(ctx, user, since, upTo)
	if err != nil {
		return nil, err
	}
	if err := m.readRooms(ctx); err != nil {
		return nil, err
	}
	if changed, err = m.sharing(ctx, changed, math.MaxInt64); err != nil {
		return nil, err
	}
	out := &syncpart.DeviceLists{Changed: append(changed, signed...)}
	if moved {
		if err := m.read(ctx); err != nil {
			return nil, err
		}
		out.Changed = append(out.Changed, m.met...)
		out.Left = m.parted
	}
	slices.Sort(out.Changed)
	out.Changed = slices.Compact(out.Changed)
	return out, nil
}

// moves are what memberships that changed since a position mean for the device
// lists that a user follows.
type moves struct {
	user   id.UserID
	since  int64
	tx     *storage.Reader
	joined map[int64]int64       // the rooms that the user is in, and since when
	rows   []*storage.Membership // that changed, in rooms of the user's
	was    map[member]bool       // who of them was joined
	met    []id.UserID           // shares a room now and did not all the time
	parted []id.UserID           // shared a room and does not now
}

type member struct {
	room int64
	user id.UserID
}

func (m *moves) readRooms(ctx context.Context) error {
	m.joined = map[int64]int64{}
	return m.tx.RoomsOf(ctx, []id.UserID{m.user}, func(_ id.UserID, room, pos int64) { m.joined[room] = pos })
}

// sharing returns those of some users who share a room with the user, in which both
// have been since a position. The user is one of them.
func (m *moves) sharing(ctx context.Context, users []id.UserID, since int64) ([]id.UserID, error) {
	if len(users) == 0 {
		return nil, nil
	}
	with := map[id.UserID]bool{m.user: true}
	err := m.tx.RoomsOf(ctx, users, func(user id.UserID, room, pos int64) {
		if own, in := m.joined[room]; in && own <= since && pos <= since {
			with[user] = true
		}
	})
	return slices.DeleteFunc(users, func(u id.UserID) bool { return !with[u] }), err
}

func (m *moves) read(ctx context.Context) (err error) {
	left, err := m.tx.MembershipsSince(ctx, m.user, m.since)
	if err != nil {
		return err
	}
	rooms := slices.Collect(maps.Keys(m.joined))
	for _, o := range left {
		if o.Membership != "join" {
			rooms = append(rooms, o.RoomNID)
		}
	}
	slices.Sort(rooms)
	for _, membership := range []string{"join", "leave", "ban"} {
		rows, err := m.tx.MembersSince(ctx, rooms, membership, m.since)
		if err != nil {
			return err
		}
		m.rows = append(m.rows, rows...)
	}
	if len(m.rows) == 0 {
		return nil
	}
	if err = m.readBefore(ctx); err != nil {
		return err
	}
	met, parted, err := m.candidates(ctx)
	if err != nil {
		return err
	}
	// Who has shared another room all the time was followed all the time.
	if m.met, err = m.without(ctx, met, m.since); err != nil {
		return err
	}
	m.parted, err = m.without(ctx, parted, math.MaxInt64)
	return err
}

// readBefore finds out who of those whose membership changed was joined before.
func (m *moves) readBefore(ctx context.Context) error {
	keys := map[int64][]storage.StateKey{}
	for _, row := range m.rows {
		keys[row.RoomNID] = append(keys[row.RoomNID], storage.StateKey{Type: event.TypeMember, Key: string(row.UserID)})
	}
	roots, err := m.tx.RoomStatesAt(ctx, slices.Sorted(maps.Keys(keys)), m.since)
	if err != nil {
		return err
	}
	of := map[int64]member{}
	for _, room := range slices.Sorted(maps.Keys(roots)) {
		found, err := m.tx.StateGet(ctx, roots[room], keys[room]...)
		if err != nil {
			return err
		}
		for key, nid := range found {
			of[nid] = member{room, id.UserID(key.Key)}
		}
	}
	events, err := m.tx.ViewsByNID(ctx, slices.Sorted(maps.Keys(of)))
	m.was = map[member]bool{}
	for _, ev := range events {
		m.was[of[ev.NID]] = roomview.MembershipOf(ev) == "join"
	}
	return err
}

// candidates are those who came into a room of the user's, or are in one that the
// user came into, and those who are gone from a room of the user's, or are in one
// that the user is gone from.
func (m *moves) candidates(ctx context.Context) (met, parted []id.UserID, err error) {
	own := map[int64]bool{} // the rooms in which the user's own membership changed
	for _, row := range m.rows {
		own[row.RoomNID] = own[row.RoomNID] || row.UserID == m.user
	}
	for _, row := range m.rows {
		is, was := row.Membership == "join", m.was[member{row.RoomNID, row.UserID}]
		_, in := m.joined[row.RoomNID]
		wasIn := m.was[member{row.RoomNID, m.user}] || in && !own[row.RoomNID]
		switch {
		case row.UserID != m.user:
			if is && !was && in {
				met = append(met, row.UserID)
			}
			if !is && was && wasIn {
				parted = append(parted, row.UserID)
			}
		case is && !was:
			members, err := m.tx.Members(ctx, row.RoomNID, "join")
			if err != nil {
				return nil, nil, err
			}
			for _, other := range members {
				met = append(met, other.UserID)
			}
		case !is && was:
			members, err := m.tx.Members(ctx, row.RoomNID, "join")
			if err != nil {
				return nil, nil, err
			}
			for _, other := range members {
				if other.Pos <= m.since || m.was[member{row.RoomNID, other.UserID}] {
					parted = append(parted, other.UserID)
				}
			}
		}
	}
	return m.others(met), m.others(parted), nil
}

// others sorts users, each once, without the user.
func (m *moves) others(users []id.UserID) []id.UserID {
	users = slices.DeleteFunc(users, func(u id.UserID) bool { return u == m.user })
	slices.Sort(users)
	return slices.Compact(users)
}

// without leaves out those who share a room with the user that both have been in
// since a position.
func (m *moves) without(ctx context.Context, users []id.UserID, since int64) ([]id.UserID, error) {
	if len(users) == 0 {
		return nil, nil
	}
	sharing, err := m.sharing(ctx, slices.Clone(users), since)
	return slices.DeleteFunc(users, func(u id.UserID) bool {
		_, found := slices.BinarySearch(sharing, u)
		return found
	}), err
}
