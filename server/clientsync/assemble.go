// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/server/roomview"
	"touchstone.example/storage"
)

// An answerBuilder makes one answer from one snapshot.
type answerBuilder struct {
	*Sync
	*request
	tx   *storage.Reader
	out  *clientapi.SyncResponse
	view *roomview.View
	// order lists the rooms that the answer may be about, by row; ids are their room
	// IDs, memberships the user's memberships as of upTo.
	order       []int64
	ids         map[int64]id.RoomID
	memberships map[int64]*storage.Membership
	prefers     *preferences
	size        int // of all timelines, in bytes
	// newEvents lists by room the events of the window in order; nil: not read yet.
	newEvents map[int64][]int64
	// resolvedAt is the last position at which state resolution changed a room's state,
	// by room; nil: not read yet.
	resolvedAt map[int64]int64
}

// answer makes the answer with what changed in (since, upTo].
func (s *Sync) answer(ctx context.Context, w *request, upTo int64) (*clientapi.SyncResponse, error) {
	done, err := s.Turn(ctx, string(w.who.User))
	if err != nil {
		return nil, err
	}
	defer done()
	w.upTo, w.now = upTo, s.Env.NowTS()
	var out *clientapi.SyncResponse
	err = s.DB.Read(ctx, func(tx *storage.Reader) error {
		a := &answerBuilder{
			Sync: s, request: w, tx: tx, out: s.emptyAnswer(w, upTo),
			memberships: map[int64]*storage.Membership{}, ids: map[int64]id.RoomID{},
			view: roomview.NewView(w.who.User, w.who.Device, w.now),
		}
		out = a.out
		return a.build(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("sync of %s: %w", w.who.User, err)
	}
	return out, nil
}

func (a *answerBuilder) build(ctx context.Context) error {
	if err := a.loadPreferences(ctx); err != nil {
		return err
	}
	list, err := a.changedMemberships(ctx)
	if err != nil {
		return err
	}
	if err := a.addRooms(ctx, list); err != nil {
		return err
	}
	parts, err := a.roomUpdates(ctx)
	if err != nil {
		return err
	}
	if parts, err = a.fill(ctx, parts); err != nil {
		return err
	}
	all := clientapi.SyncRooms{}
	if err := a.write(ctx, &all, parts); err != nil {
		return err
	}
	if err := a.addInvites(ctx, &all); err != nil {
		return err
	}
	if err := a.addParts(ctx, &all); err != nil {
		return err
	}
	if err := a.addStanding(ctx, a.tx, a.request, a.out); err != nil {
		return err
	}
	if all.Join != nil || all.Invite != nil || all.Knock != nil || all.Leave != nil {
		a.out.Rooms = &all
	}
	return nil
}

// membershipAt is the user's membership of a room at an earlier position, nil if there
// was none yet.
func (a *answerBuilder) membershipAt(ctx context.Context, now *storage.Membership, pos int64) (*storage.Membership, error) {
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

// addInvites adds the invitations and knocks that are new in the window.
func (a *answerBuilder) addInvites(ctx context.Context, all *clientapi.SyncRooms) error {
	for _, nid := range a.order {
		m := a.memberships[nid]
		if a.prefers.hidesInvite(m) || m.Membership != "invite" && m.Membership != "knock" || !a.initial && !a.full && m.Pos <= a.since {
			continue
		}
		stripped, err := a.stripped(ctx, m)
		if err != nil {
			return err
		}
		if m.Membership == "knock" {
			putRoom(&all.Knock, a.ids[nid], clientapi.SyncKnockedRoom{KnockState: &clientapi.SyncStrippedState{Events: stripped}})
		} else {
			putRoom(&all.Invite, a.ids[nid], clientapi.SyncInvitedRoom{InviteState: &clientapi.SyncStrippedState{Events: stripped}})
		}
	}
	return nil
}

// strippedTypes are the types of the state events in an invitation.
//
// Spec: client-server "Stripped state".
var strippedTypes = []string{
	"m.room.create", "m.room.name", "m.room.avatar", "m.room.topic",
	"m.room.join_rules", "m.room.canonical_alias", "m.room.encryption",
}

// stripped is the stripped state of an invitation or a knock: the state by which a
// client can show the room, the member event of the sender, whose name it shows, and
// last the user's own member event. All are as of that event.
func (a *answerBuilder) stripped(ctx context.Context, m *storage.Membership) ([]api.Raw, error) {
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

func putRoom[V any](m *map[id.RoomID]V, key id.RoomID, v V) {
	if *m == nil {
		*m = map[id.RoomID]V{}
	}
	(*m)[key] = v
}
