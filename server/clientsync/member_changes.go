// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/feed"
	"touchstone.example/server/roomview"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
)

// memberChanges lists the memberships that changed in the window: the user's own, and
// those of others in rooms of which the user was a member for the whole window. They
// are the difference of two states, whatever happened in between.
func (a *answerBuilder) memberChanges(ctx context.Context) ([]syncpart.MemberChange, error) {
	out := []syncpart.MemberChange{}
	if a.Feed.Changed(a.since, feed.Memberships(a.who.User)) {
		list, err := a.tx.MembershipsSince(ctx, a.who.User, a.since)
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			was, err := a.membershipAt(ctx, m, a.since)
			if err != nil {
				return nil, err
			}
			is, err := a.membershipAt(ctx, m, a.upTo)
			if err != nil {
				return nil, err
			}
			out = appendMemberChange(out, m.RoomNID, a.who.User, membershipName(was), membershipName(is))
		}
	}
	rooms, err := a.roomsWithNewMembers(ctx)
	if err != nil || len(rooms) == 0 {
		return out, err
	}
	from, err := a.tx.RoomRootsAt(ctx, rooms, a.since)
	if err != nil {
		return nil, err
	}
	to, err := a.tx.RoomRootsAt(ctx, rooms, a.upTo)
	if err != nil {
		return nil, err
	}
	for _, nid := range rooms {
		if out, err = a.memberDiff(ctx, out, nid, from[nid].Root, to[nid].Root); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func membershipName(m *storage.Membership) string {
	if m == nil {
		return ""
	}
	return m.Membership
}

func appendMemberChange(list []syncpart.MemberChange, nid int64, user id.UserID, was, is string) []syncpart.MemberChange {
	if was == is {
		return list
	}
	return append(list, syncpart.MemberChange{RoomNID: nid, User: user, Was: was, Is: is})
}

// roomsWithNewMembers lists the rooms of which the user was a member for the whole
// window and whose memberships may have changed.
func (a *answerBuilder) roomsWithNewMembers(ctx context.Context) (nids []int64, err error) {
	changes, all := a.Feed.Recent(a.since, a.upTo)
	touched := map[int64]bool{}
	for _, c := range changes {
		if kind := feed.Kind(c.Kind); c.UserID != "" && (kind == feed.KindEvent || kind == feed.KindState) {
			touched[c.RoomNID] = true
		}
	}
	if all && len(touched) == 0 {
		return nil, nil
	}
	joined := a.unchangedJoins()
	if joined == nil {
		if joined, err = a.readJoined(ctx); err != nil {
			return nil, err
		}
	}
	for nid, m := range joined {
		if m.Pos <= a.since && (touched[nid] || !all && a.Feed.Changed(a.since, feed.Room(nid))) {
			nids = append(nids, nid)
		}
	}
	slices.Sort(nids)
	return nids, nil
}

// memberDiff adds the memberships by which two states of a room differ.
func (a *answerBuilder) memberDiff(ctx context.Context, out []syncpart.MemberChange, nid int64, from, to string) ([]syncpart.MemberChange, error) {
	if from == "" || to == "" {
		return out, nil
	}
	diff, err := a.tx.StateDiff(ctx, from, to)
	if err != nil || len(diff) == 0 {
		return out, err
	}
	var nids []int64
	was := map[int64]bool{}
	for _, c := range diff {
		was[c.Old] = true
		for _, n := range []int64{c.Old, c.New} {
			if n != 0 {
				nids = append(nids, n)
			}
		}
	}
	events, err := a.tx.ViewsByNID(ctx, nids)
	if err != nil {
		return nil, err
	}
	changed := map[id.UserID]*syncpart.MemberChange{}
	for _, e := range events {
		if e.Type != event.TypeMember || e.StateKey == nil {
			continue
		}
		user := id.UserID(*e.StateKey)
		if changed[user] == nil {
			changed[user] = &syncpart.MemberChange{}
		}
		if was[e.NID] {
			changed[user].Was = roomview.MembershipOf(e)
		} else {
			changed[user].Is = roomview.MembershipOf(e)
		}
	}
	delete(changed, a.who.User)
	for _, user := range slices.SortedFunc(maps.Keys(changed), cmp.Compare[id.UserID]) {
		out = appendMemberChange(out, nid, user, changed[user].Was, changed[user].Is)
	}
	return out, nil
}
