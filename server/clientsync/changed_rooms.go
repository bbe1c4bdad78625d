// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"touchstone.example/api"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// checkDevice refuses the request of a device that was logged out while it waited.
func (a *answerBuilder) checkDevice(ctx context.Context) error {
	if a.who.Device == "" {
		return nil
	}
	_, err := a.tx.Device(ctx, a.who.User, a.who.Device)
	if errors.Is(err, storage.ErrNotFound) {
		return api.UnknownToken(false)
	}
	return err
}

// maxChanges is how many of the newest changes are searched for the user's rooms. For a
// client that is further behind, each room's topics are asked.
const maxChanges = 1000

// changedMemberships lists the user's memberships of the rooms that may have new
// events, state or membership.
func (a *answerBuilder) changedMemberships(ctx context.Context) ([]*storage.Membership, error) {
	if a.initial || a.full {
		return a.allMemberships(ctx)
	}
	if a.Feed.Changed(a.since, feed.Access(a.who.User)) {
		if err := a.checkDevice(ctx); err != nil {
			return nil, err
		}
	}
	joined := a.unchangedJoins()
	if changes, all := a.Feed.Recent(a.since, a.upTo); all && len(changes) <= maxChanges {
		return a.membershipsIn(ctx, joined, a.readChanges(changes, joined))
	}
	list := slices.SortedFunc(maps.Values(joined), func(x, y *storage.Membership) int { return cmp.Compare(x.RoomNID, y.RoomNID) })
	if joined == nil {
		var err error
		if list, err = a.allMemberships(ctx); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(list, func(m *storage.Membership) bool {
		return m.Pos <= a.since && !a.Feed.Changed(a.since, feed.Room(m.RoomNID))
	}), nil
}

func (a *answerBuilder) allMemberships(ctx context.Context) ([]*storage.Membership, error) {
	return a.tx.MembershipsOf(ctx, a.who.User, "join", "invite", "knock", "leave", "ban")
}

// unchangedJoins returns the rooms that the user has joined, if they are cached and the
// user's memberships have not changed after since: then no other room has news.
// Otherwise it returns nil.
func (a *answerBuilder) unchangedJoins() map[int64]*storage.Membership {
	known := a.keys.get(a.Feed, a.who.User)
	if known == nil || a.Feed.Changed(a.since, feed.Memberships(a.who.User)) {
		return nil
	}
	return known.joined
}

// readChanges lists the rooms of the window's changes, and fills newEvents and
// resolvedAt from them. If joined is not nil, other rooms are left out.
func (a *answerBuilder) readChanges(changes []storage.Change, joined map[int64]*storage.Membership) (nids []int64) {
	a.resolvedAt, a.newEvents = map[int64]int64{}, map[int64][]int64{}
	seen := map[int64]bool{}
	for _, c := range changes {
		if joined != nil && joined[c.RoomNID] == nil {
			continue
		}
		switch feed.Kind(c.Kind) {
		case feed.KindState:
			a.resolvedAt[c.RoomNID] = c.Pos
		case feed.KindEvent:
			a.newEvents[c.RoomNID] = append(a.newEvents[c.RoomNID], c.Ref)
		default:
			continue
		}
		if !seen[c.RoomNID] {
			seen[c.RoomNID] = true
			nids = append(nids, c.RoomNID)
		}
	}
	return nids
}

// membershipsIn returns the user's memberships of some rooms: from joined, if that is
// known, else from the database.
func (a *answerBuilder) membershipsIn(ctx context.Context, joined map[int64]*storage.Membership, nids []int64) (list []*storage.Membership, err error) {
	if joined == nil {
		return a.tx.MembershipsIn(ctx, a.who.User, nids)
	}
	for _, nid := range nids {
		if m := joined[nid]; m != nil {
			list = append(list, m)
		}
	}
	return list, nil
}

// addRooms adds rooms to those that the answer may be about, with the user's membership
// as of upTo.
func (a *answerBuilder) addRooms(ctx context.Context, list []*storage.Membership) error {
	var added []int64
	for _, m := range list {
		if m.Pos > a.upTo {
			var err error
			if m, err = a.membershipAt(ctx, m, a.upTo); err != nil {
				return err
			}
		}
		if m == nil || m.Forgotten && !(a.ForgottenLeave && !a.initial && m.Pos > a.since) {
			continue
		}
		a.memberships[m.RoomNID] = m
		added = append(added, m.RoomNID)
	}
	names, err := a.roomIDs.get(ctx, a.tx, added)
	if err != nil {
		return err
	}
	maps.Copy(a.ids, names)
	for _, nid := range added {
		if a.filter.Room.Rooms.Match(a.ids[nid]) {
			a.order = append(a.order, nid)
		}
	}
	return nil
}
