// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/server/filter"
	"touchstone.example/server/rooms"
	"touchstone.example/server/roomview"
	"touchstone.example/storage"
)

// An assembly puts one answer together, on one snapshot.
type assembly struct {
	*Sync
	*window
	tx   *storage.Reader
	out  *clientapi.SyncResponse
	view *roomview.View
	// order lists the rooms that the answer may be about, by row; ids are their
	// names and memberships what the user was to them as of upTo.
	order       []int64
	ids         map[int64]id.RoomID
	memberships map[int64]*storage.Membership
	ownData     bool // account data may have changed
	size        int  // of all timelines, in bytes
	// arrived lists by room the events of the window in order; nil: nobody has
	// looked yet.
	arrived map[int64][]int64
	// moved says of rooms whose state resolution changed where it last did;
	// nil: nobody has looked yet.
	moved map[int64]int64
}

// answer tells what changed in the window.
func (s *Sync) answer(ctx context.Context, w *window, upTo int64) (*clientapi.SyncResponse, error) {
	done, err := s.Turn(ctx, string(w.who.User))
	if err != nil {
		return nil, err
	}
	defer done()
	w.upTo, w.now = upTo, s.Env.NowTS()
	var out *clientapi.SyncResponse
	err = s.DB.Read(ctx, func(tx *storage.Reader) error {
		a := &assembly{
			Sync: s, window: w, tx: tx, out: s.nothing(upTo),
			view: roomview.NewView(w.who.User, w.who.Device, w.now),
		}
		out = a.out
		return a.run(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("sync of %s: %w", w.who.User, err)
	}
	return out, nil
}

func (a *assembly) run(ctx context.Context) error {
	touched, err := a.touched(ctx)
	if err != nil {
		return err
	}
	if err := a.loadRooms(ctx, touched); err != nil {
		return err
	}
	all := clientapi.SyncRooms{}
	parts, err := a.parts(ctx)
	if err != nil {
		return err
	}
	if parts, err = a.fill(ctx, parts); err != nil {
		return err
	}
	if err := a.write(ctx, &all, parts); err != nil {
		return err
	}
	if err := a.invited(ctx, &all); err != nil {
		return err
	}
	if err := a.accountData(ctx, &all); err != nil {
		return err
	}
	if all.Join != nil || all.Invite != nil || all.Knock != nil || all.Leave != nil {
		a.out.Rooms = &all
	}
	return nil
}

// Kinds of the changes that concern one user alone: access that is taken away,
// and data that the user keeps here.
const (
	ChangeAccess      = "access"
	ChangeAccountData = "account_data"
)

// stillHere ends the wait of a device that was logged out meanwhile.
func (a *assembly) stillHere(ctx context.Context) error {
	if a.who.Device == "" {
		return nil
	}
	_, err := a.tx.Device(ctx, a.who.User, a.who.Device)
	if errors.Is(err, storage.ErrNotFound) {
		return api.UnknownToken(false)
	}
	return err
}

// maxChanges is how many rows of the log are read to find out which rooms an
// answer is about; after a longer absence all the user's rooms are looked at.
const maxChanges = 1000

// touched lists the rooms that anything happened in; nil means all of them.
func (a *assembly) touched(ctx context.Context) ([]int64, error) {
	a.ownData = true
	if a.initial || a.full || a.upTo-a.since > maxChanges { // cheaper than reading what all users did
		return nil, nil
	}
	changes, all := a.Feed.Recent(a.since, a.upTo)
	if !all {
		var err error
		if changes, err = a.tx.Changes(ctx, a.since, a.upTo, maxChanges+1); err != nil {
			return nil, err
		}
	}
	if len(changes) > maxChanges {
		return nil, nil
	}
	a.ownData, a.moved, a.arrived = false, map[int64]int64{}, map[int64][]int64{}
	seen := map[int64]bool{}
	out := []int64{}
	for _, c := range changes {
		if c.UserID == string(a.who.User) {
			a.ownData = a.ownData || c.Kind == ChangeAccountData
			if c.Kind == ChangeAccess {
				if err := a.stillHere(ctx); err != nil {
					return nil, err
				}
			}
		}
		switch c.Kind {
		case rooms.ChangeState:
			a.moved[c.RoomNID] = c.Pos
		case rooms.ChangeEvent:
			a.arrived[c.RoomNID] = append(a.arrived[c.RoomNID], c.Ref)
		}
		if c.RoomNID != 0 && !seen[c.RoomNID] {
			seen[c.RoomNID] = true
			out = append(out, c.RoomNID)
		}
	}
	return out, nil
}

// loadRooms reads the user's memberships of the rooms that the answer may be
// about, and the rooms.
func (a *assembly) loadRooms(ctx context.Context, touched []int64) error {
	list, err := a.loadMemberships(ctx, touched)
	if err != nil {
		return err
	}
	a.memberships = make(map[int64]*storage.Membership, len(list))
	for _, m := range list {
		if m.Pos > a.upTo {
			if m, err = a.membershipAt(ctx, m, a.upTo); err != nil {
				return err
			}
		}
		if m == nil || m.Forgotten && !(a.ForgottenLeave && !a.initial && m.Pos > a.since) {
			continue
		}
		a.memberships[m.RoomNID] = m
		a.order = append(a.order, m.RoomNID)
	}
	if a.ids, err = a.names.of(ctx, a.tx, a.order); err != nil {
		return err
	}
	a.order = slices.DeleteFunc(a.order, func(nid int64) bool { return !a.filter.Room.Rooms.Match(a.ids[nid]) })
	return nil
}

func (a *assembly) loadMemberships(ctx context.Context, touched []int64) ([]*storage.Membership, error) {
	if touched == nil {
		return a.tx.MembershipsOf(ctx, a.who.User, "join", "invite", "knock", "leave", "ban")
	}
	known := a.keys.known(a.Feed, a.who.User)
	if known == nil || a.since < known.asOf {
		return a.tx.MembershipsIn(ctx, a.who.User, touched)
	}
	// Nothing has changed for the user since: only joined rooms have news.
	var list []*storage.Membership
	for _, nid := range touched {
		if m := known.joined[nid]; m != nil {
			list = append(list, m)
		}
	}
	return list, nil
}

// membershipAt is what the user was to a room at an earlier position, nil for
// nothing yet.
func (a *assembly) membershipAt(ctx context.Context, now *storage.Membership, pos int64) (*storage.Membership, error) {
	if now.Pos <= pos {
		return now, nil
	}
	events, err := a.tx.MemberEvents(ctx, now.RoomNID, a.who.User)
	if err != nil {
		return nil, err
	}
	var m *storage.Membership
	for _, e := range events {
		if e.Pos == 0 || e.Pos > pos {
			continue
		}
		membership := roomview.MembershipOf(e)
		if m != nil && m.Membership == membership {
			m.EventNID = e.NID // a new profile
			continue
		}
		m = &storage.Membership{
			RoomNID: e.RoomNID, UserID: a.who.User, Membership: membership,
			EventNID: e.NID, Sender: e.Sender, Pos: e.Pos, Local: now.Local,
		}
	}
	return m, nil
}

// invited tells of invitations and knocks that are new in the window.
func (a *assembly) invited(ctx context.Context, all *clientapi.SyncRooms) error {
	for _, nid := range a.order {
		m := a.memberships[nid]
		if m.Membership != "invite" && m.Membership != "knock" || !a.initial && !a.full && m.Pos <= a.since {
			continue
		}
		stripped, err := a.stripped(ctx, m)
		if err != nil {
			return err
		}
		if m.Membership == "knock" {
			put(&all.Knock, a.ids[nid], clientapi.SyncKnockedRoom{KnockState: &clientapi.SyncStrippedState{Events: stripped}})
		} else {
			put(&all.Invite, a.ids[nid], clientapi.SyncInvitedRoom{InviteState: &clientapi.SyncStrippedState{Events: stripped}})
		}
	}
	return nil
}

// strippedTypes are the state events of an invitation.
//
// Spec: client-server "Stripped state".
var strippedTypes = []string{
	"m.room.create", "m.room.name", "m.room.avatar", "m.room.topic",
	"m.room.join_rules", "m.room.canonical_alias", "m.room.encryption",
}

// stripped is the state that lets a user who is not in a room know it, as it
// was at the invitation, which comes last, and who invited, so that a client can
// show the name.
func (a *assembly) stripped(ctx context.Context, m *storage.Membership) ([]api.Raw, error) {
	root, err := a.tx.RoomStateAt(ctx, m.RoomNID, m.Pos)
	if err != nil {
		return nil, err
	}
	keys := make([]storage.StateKey, 0, len(strippedTypes)+1)
	for _, typ := range strippedTypes {
		keys = append(keys, storage.StateKey{Type: typ})
	}
	own := storage.StateKey{Type: event.TypeMember, Key: string(a.who.User)}
	keys = append(keys, own, storage.StateKey{Type: event.TypeMember, Key: string(m.Sender)})
	found, err := a.tx.StateGet(ctx, root, keys...)
	if err != nil {
		return nil, err
	}
	events, err := a.tx.ViewsByNID(ctx, slices.Collect(maps.Values(found)))
	if err != nil {
		return nil, err
	}
	out, invitation := []api.Raw{}, api.Raw(nil)
	for _, e := range events {
		if e.NID == found[own] {
			invitation = roomview.AppendStripped(nil, e)
			continue
		}
		out = append(out, roomview.AppendStripped(nil, e))
	}
	if invitation != nil {
		out = append(out, invitation)
	}
	return out, nil
}

// accountData tells of the user's own data, global and by room.
func (a *assembly) accountData(ctx context.Context, all *clientapi.SyncRooms) error {
	if !a.ownData {
		return nil
	}
	since := a.since
	if a.initial {
		since = 0
	}
	rows, err := a.tx.AccountDataSince(ctx, a.who.User, since, a.upTo)
	if err != nil {
		return err
	}
	var global []api.Raw
	if a.initial {
		rules, err := a.PushRules(ctx, a.tx, a.who.User)
		if err != nil {
			return err
		}
		if a.filter.AccountData.Match("m.push_rules", "") {
			global = append(global, accountEvent("m.push_rules", rules))
		}
	}
	for _, d := range rows {
		if d.RoomNID != 0 {
			if err := a.roomData(all, d); err != nil {
				return err
			}
			continue
		}
		if a.filter.AccountData.Match(d.Type, "") {
			global = append(global, accountEvent(d.Type, d.Content))
		}
	}
	if global != nil {
		a.out.AccountData = &clientapi.EventBatch{Events: global}
	}
	return nil
}

// roomData adds one piece of a user's data about a joined room.
func (a *assembly) roomData(all *clientapi.SyncRooms, d *storage.AccountData) error {
	m, roomID := a.memberships[d.RoomNID], a.ids[d.RoomNID]
	if m == nil || m.Membership != "join" {
		return nil
	}
	if !a.filter.Room.AccountData.Match(&filter.Header{Type: d.Type, RoomID: roomID}) {
		return nil
	}
	j, ok := all.Join[roomID]
	if !ok {
		j.Timeline = &clientapi.TimelineBatch{Events: []api.Raw{}}
		if batch := (&clientapi.StateEventBatch{Events: []api.Raw{}}); a.stateAfter {
			j.StateAfter = batch
		} else {
			j.State = batch
		}
	}
	if j.AccountData == nil {
		j.AccountData = &clientapi.EventBatch{}
	}
	j.AccountData.Events = append(j.AccountData.Events, accountEvent(d.Type, d.Content))
	put(&all.Join, roomID, j)
	return nil
}

func accountEvent(typ string, content []byte) api.Raw {
	b := append([]byte(`{"content":`), content...)
	b = api.AppendString(append(b, `,"type":`...), typ)
	return append(b, '}')
}

func put[V any](m *map[id.RoomID]V, key id.RoomID, v V) {
	if *m == nil {
		*m = map[id.RoomID]V{}
	}
	(*m)[key] = v
}
