// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
	"touchstone.example/storage"
	"touchstone.example/tests/slicetest"
)

func text(s string) *string { return &s }

const (
	bob   = id.UserID("@bob:hs2")
	carol = id.UserID("@carol:hs3")
	dan   = id.UserID("@dan:hs2")
	eve   = id.UserID("@eve:hs4")
)

// shared makes a room of alice's, and its model, which users of other servers
// have joined.
func (h *fixture) shared(version string, members ...id.UserID) *model {
	h.T.Helper()
	roomID := id.RoomID(h.Create("alice", slicetest.O{"preset": "public_chat", "room_version": version}))
	rules, ok := roomver.Get(version)
	require.True(h.T, ok)
	m := newModel(h.T, rules, roomID)
	h.world.model = m
	h.learn()
	for _, user := range members {
		h.accepted(m.build(memberDraft(user, user, "join"), m.tips...))
	}
	return m
}

func memberDraft(sender, target id.UserID, membership string) event.Draft {
	return event.Draft{
		Type: event.TypeMember, Sender: sender, StateKey: text(string(target)), Content: []byte(`{"membership":"` + membership + `"}`),
	}
}

func topicDraft(sender id.UserID, topic string) event.Draft {
	return event.Draft{Type: "m.room.topic", Sender: sender, StateKey: text(""), Content: []byte(`{"topic":"` + topic + `"}`)}
}

func messageDraft(sender id.UserID, body string) event.Draft {
	return event.Draft{Type: "m.room.message", Sender: sender, Content: []byte(`{"body":"` + body + `","msgtype":"m.text"}`)}
}

// learn tells the model of what was sent here.
func (h *fixture) learn() {
	h.T.Helper()
	m := h.world.model
	for _, row := range h.rows() {
		if m.events[row.ID].Event == nil && !row.Outlier {
			e, err := event.Trusted(m.rules, row.ID, row.PDU)
			require.NoError(h.T, err)
			require.Equal(h.T, rooms.Accepted, m.receive(e))
		}
	}
}

// rows are all that is stored of the model's room.
func (h *fixture) rows() (rows []*storage.Event) {
	h.read(func(ctx context.Context, tx *storage.Reader) error {
		room, err := tx.Room(ctx, h.world.model.id)
		require.NoError(h.T, err)
		rows, err = allEvents(ctx, tx, room.NID)
		return err
	})
	return rows
}

func allEvents(ctx context.Context, tx *storage.Reader, roomNID int64) ([]*storage.Event, error) {
	nids, err := tx.EventNIDsFrom(ctx, roomNID, 0)
	if err != nil {
		return nil, err
	}
	return tx.EventsByNID(ctx, nids)
}

func (h *fixture) row(eventID id.EventID) (row *storage.Event) {
	h.T.Helper()
	h.read(func(ctx context.Context, tx *storage.Reader) (err error) {
		row, err = tx.Event(ctx, eventID)
		return err
	})
	return row
}

func (h *fixture) read(fn func(context.Context, *storage.Reader) error) {
	h.T.Helper()
	require.NoError(h.T, h.DB.Read(h.T.Context(), func(tx *storage.Reader) error { return fn(h.T.Context(), tx) }))
}

// sends has the event's sender's server send it here.
func (h *fixture) sends(e *event.Event) rooms.ReceiveResult {
	h.T.Helper()
	receipt, err := h.Rooms.Receive(h.T.Context(), e.Sender.Server(), h.world.model.id, e.PDU())
	require.NoError(h.T, err)
	return receipt
}

func (h *fixture) accepted(e *event.Event) *event.Event {
	h.T.Helper()
	receipt := h.sends(e)
	require.Equal(h.T, rooms.Accepted, receipt.Outcome, "%v", receipt.Reason)
	h.world.model.receive(e)
	return e
}

// agrees compares all that is kept of the room with the model.
func (h *fixture) agrees() {
	h.T.Helper()
	m := h.world.model
	h.read(func(ctx context.Context, tx *storage.Reader) error {
		room, err := tx.Room(ctx, m.id)
		require.NoError(h.T, err)
		require.Equal(h.T, m.current(), h.stateOf(ctx, tx, room.StateRoot), "current state")
		tips, err := tx.ForwardExtremities(ctx, room.NID)
		require.NoError(h.T, err)
		ids, err := tx.EventIDs(ctx, tips)
		require.NoError(h.T, err)
		var have []id.EventID
		for _, eventID := range ids {
			have = append(have, eventID)
		}
		require.ElementsMatch(h.T, m.tips, have, "extremities")
		h.membersAgree(ctx, tx, room)
		return h.eventsAgree(ctx, tx, room)
	})
}

func (h *fixture) stateOf(ctx context.Context, tx *storage.Reader, root string) stateres.State {
	nids, err := tx.StateLoad(ctx, root, storage.StateAll)
	require.NoError(h.T, err)
	rows, err := tx.EventsByNID(ctx, nids)
	require.NoError(h.T, err)
	state := stateres.State{}
	for _, row := range rows {
		state[event.StateKey{Type: row.Type, Key: *row.StateKey}] = row.ID
	}
	return state
}

func (h *fixture) membersAgree(ctx context.Context, tx *storage.Reader, room *storage.Room) {
	h.T.Helper()
	m := h.world.model
	want := map[id.UserID]string{}
	for key, eventID := range m.current() {
		if key.Type == event.TypeMember {
			want[id.UserID(key.Key)] = m.events[eventID].Event.Membership()
		}
	}
	all, err := tx.Members(ctx, room.NID, "join", "invite", "knock", "ban", "leave")
	require.NoError(h.T, err)
	for _, member := range all {
		if member.Membership != "leave" || want[member.UserID] != "" {
			require.Equal(h.T, want[member.UserID], member.Membership, member.UserID)
		}
		delete(want, member.UserID)
	}
	require.Empty(h.T, want)
}

// eventsAgree compares verdicts, and the states around each event.
func (h *fixture) eventsAgree(ctx context.Context, tx *storage.Reader, room *storage.Room) error {
	h.T.Helper()
	m := h.world.model
	rows, err := allEvents(ctx, tx, room.NID)
	require.NoError(h.T, err)
	for _, row := range rows {
		outcome, received := m.outcome[row.ID]
		if !received {
			continue
		}
		require.False(h.T, row.Outlier, row.ID)
		require.Equal(h.T, outcome == rooms.Rejected, row.Rejected, row.ID)
		shown := outcome == rooms.Accepted && (row.Redacts == "" || m.rules.RedactionNeedsAuth || m.redacts[row.ID])
		require.Equal(h.T, shown, row.Pos != 0, row.ID)
		require.Equal(h.T, m.before[row.ID], h.stateOf(ctx, tx, row.StateBefore), "before %s", row.ID)
		require.Equal(h.T, m.after[row.ID], h.stateOf(ctx, tx, row.StateAfter), "after %s", row.ID)
	}
	return nil
}

// unlike returns the event with a member of its content changed afterwards, so
// that its signature holds and its content hash does not.
func unlike(t testing.TB, e *event.Event, from, to string) []byte {
	t.Helper()
	changed := strings.Replace(string(e.PDU()), from, to, 1)
	require.NotEqual(t, string(e.PDU()), changed)
	return []byte(changed)
}

// byArrival are the events that clients have seen, in the order of their
// positions.
func (h *fixture) byArrival() []*storage.Event {
	rows := slices.DeleteFunc(h.rows(), func(row *storage.Event) bool { return row.Pos == 0 })
	slices.SortFunc(rows, func(a, b *storage.Event) int { return int(a.Pos - b.Pos) })
	return rows
}

// tips are the extremities of the model's room.
func (h *fixture) tips() (ids []id.EventID) {
	room := h.room()
	h.read(func(ctx context.Context, tx *storage.Reader) error {
		nids, err := tx.ForwardExtremities(ctx, room.NID)
		require.NoError(h.T, err)
		byNID, err := tx.EventIDs(ctx, nids)
		for _, nid := range nids {
			ids = append(ids, byNID[nid])
		}
		return err
	})
	return ids
}

// agreesAround compares verdicts on events, whatever became of them by the room's
// current state, and the states around them; the room's state and its members must
// be what its extremities say.
func (h *fixture) agreesAround(events []*event.Event) {
	h.T.Helper()
	m, room := h.world.model, h.room()
	m.tips = h.tips()
	h.read(func(ctx context.Context, tx *storage.Reader) error {
		for _, e := range events {
			row, err := tx.Event(ctx, e.ID)
			require.NoError(h.T, err)
			require.False(h.T, row.Outlier || row.Partial, e.ID)
			require.Equal(h.T, m.events[e.ID].Rejected, row.Rejected, e.ID)
			require.Equal(h.T, m.before[e.ID], h.stateOf(ctx, tx, row.StateBefore), "before %s", e.ID)
			require.Equal(h.T, m.after[e.ID], h.stateOf(ctx, tx, row.StateAfter), "after %s", e.ID)
		}
		require.Equal(h.T, m.current(), h.stateOf(ctx, tx, room.StateRoot), "current state")
		h.membersAgree(ctx, tx, room)
		return nil
	})
}
