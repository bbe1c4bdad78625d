// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// numberOf is the number of a room's row.
func (h *fixture) numberOf(room string) (nid int64) {
	h.read(func(ctx context.Context, tx *storage.Reader) error {
		found, err := tx.Room(ctx, id.RoomID(room))
		if err == nil {
			nid = found.NID
		}
		return err
	})
	return nid
}

// A request is one of a batch, and what becomes of it.
type request struct {
	method, path, token string
	body                any
	answer              slicetest.Answer
}

// batch makes requests in one batch of a room, in their order. When all are
// planned and nothing is written, meanwhile runs.
func (h *fixture) batch(room string, meanwhile func(), requests ...*request) {
	h.T.Helper()
	nid := h.numberOf(room)
	release := h.Rooms.Hold(h.T.Context(), nid, true)
	var all sync.WaitGroup
	for i, w := range requests {
		all.Go(func() { w.answer = h.Do(w.method, w.path, w.token, w.body) })
		h.Rooms.Queued(nid, i+1)
	}
	all.Go(func() {
		if err := h.Rooms.Meanwhile(h.T.Context(), nid, meanwhile); err != nil {
			h.T.Error(err)
		}
	})
	h.Rooms.Queued(nid, len(requests)+1)
	release()
	all.Wait()
}

func nothing() {}

// says is a message.
func says(token, room, body string) *request {
	return &request{method: "PUT", path: roomtest.At(room, "send/m.room.message/{}", body), token: token, body: slicetest.O{"body": body, "msgtype": "m.text"}}
}

// levels gives users their power in a room of version 11, as alice.
func (h *fixture) levels(room string, users slicetest.O) {
	users[string(slicetest.User("alice"))] = 100
	h.Set("alice", room, "m.room.power_levels", "", slicetest.O{"users": users})
}

// TestARefusalDoesNotOutliveWhatItRestsOn: bob bans dora, and in the same batch
// dora speaks, which is refused. Before it is written, another process takes bob's
// power: he may not ban anybody, so dora may speak.
func TestARefusalDoesNotOutliveWhatItRestsOn(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Create("alice", slicetest.O{"preset": "public_chat", "room_version": "11"})
		h.Act("bob", room, "join", slicetest.O{})
		h.Act("dora", room, "join", slicetest.O{})
		h.levels(room, slicetest.O{string(slicetest.User("bob")): 50})
		ban := &request{method: "POST", path: roomtest.At(room, "ban"), token: "bob", body: roomtest.Target("dora")}
		said := says("dora", room, "hello")
		h.batch(room, func() { h.another(nil).levels(room, slicetest.O{}) }, ban, said)
		require.Equal(t, 403, ban.answer.Status, ban.answer)
		require.Equal(t, 200, said.answer.Status, said.answer)

		h.levels(room, slicetest.O{string(slicetest.User("bob")): 50})
		ban = &request{method: "POST", path: roomtest.At(room, "ban"), token: "bob", body: roomtest.Target("dora")}
		said = says("dora", room, "hello again")
		h.batch(room, nothing, ban, said)
		require.Equal(t, 200, ban.answer.Status, ban.answer)
		require.Equal(t, 403, said.answer.Status, said.answer)
	})
}

// TestNobodyIsAnsweredWithAnEventThatIsNot: of two who set the same topic in one
// batch the second is answered with the first one's event, where state is
// idempotent, but only if that comes to be.
func TestNobodyIsAnsweredWithAnEventThatIsNot(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Create("alice", slicetest.O{"preset": "public_chat", "room_version": "11"})
		h.Act("bob", room, "join", slicetest.O{})
		h.levels(room, slicetest.O{string(slicetest.User("bob")): 50})
		here := h.another(func(d *roomtest.Deps) { d.Rooms.StateIdempotent = true })
		here.Set("bob", room, "m.room.topic", "", slicetest.O{"topic": "old"})
		topic := func() *request {
			return &request{method: "PUT", path: roomtest.At(room, "state/m.room.topic/"), token: "bob", body: slicetest.O{"topic": "new"}}
		}
		first, second := topic(), topic()
		here.batch(room, func() { h.levels(room, slicetest.O{}) }, first, second)
		require.Equal(t, 403, first.answer.Status, first.answer)
		require.Equal(t, 403, second.answer.Status, second.answer)

		h.levels(room, slicetest.O{string(slicetest.User("bob")): 50})
		first, second = topic(), topic()
		here.batch(room, nothing, first, second)
		require.Equal(t, 200, first.answer.Status, first.answer)
		require.Equal(t, first.answer.At("event_id"), second.answer.At("event_id"))
		h.row(id.EventID(first.answer.At("event_id")))
	})
}

// TestAPlanFailsAlone has jobs whose rows cannot be written in the middle of a
// batch. What the others have sent is there, and what they have is not.
func TestAPlanFailsAlone(t *testing.T) {
	errRows := errors.New("the rows cannot be")
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public("bob")
		nid := h.numberOf(room)
		for name, c := range map[string]struct {
			alone bool
			also  func(n int64) error // n counts the tries
			want  error
			tries int64
		}{
			"in a batch":                 {also: func(int64) error { return errRows }, want: errRows, tries: 2},
			"alone":                      {alone: true, also: func(int64) error { return errRows }, want: errRows, tries: 1},
			"a row that is there":        {also: func(int64) error { return storage.ErrExists }, want: storage.ErrExists, tries: 2},
			"planned again":              {also: func(n int64) error { return conflictUntil(n, 5) }, tries: 5},
			"planned again, alone":       {alone: true, also: func(n int64) error { return conflictUntil(n, 5) }, tries: 5},
			"planned again for too long": {also: func(int64) error { return storage.ErrConflict }, want: storage.ErrConflict, tries: 1 + rooms.MaxTries},
		} {
			before, after := says("alice", room, name+" before"), says("bob", room, name+" after")
			var n atomic.Int64
			var got []id.EventID
			var err error
			release := h.Rooms.Hold(t.Context(), nid, false)
			var all sync.WaitGroup
			all.Go(func() { before.answer = h.Do(before.method, before.path, before.token, before.body) })
			h.Rooms.Queued(nid, 1)
			all.Go(func() {
				also := func(context.Context, *storage.Writer) error { return c.also(n.Add(1)) }
				got, err = h.Rooms.Plan(t.Context(), nid, c.alone, also,
					rooms.Draft{Sender: slicetest.User("alice"), Type: "m.test", Content: []byte(`{}`)})
			})
			h.Rooms.Queued(nid, 2)
			all.Go(func() { after.answer = h.Do(after.method, after.path, after.token, after.body) })
			h.Rooms.Queued(nid, 3)
			release()
			all.Wait()
			require.ErrorIs(t, err, c.want, name)
			require.Equal(t, c.tries, n.Load(), name)
			require.Equal(t, 200, before.answer.Status, "%s: %s", name, before.answer)
			require.Equal(t, 200, after.answer.Status, "%s: %s", name, after.answer)
			events := roomtest.List(t, h.OK("GET", roomtest.At(room, "messages?dir=b&limit=3"), "alice", nil).At("chunk"))
			require.EqualValues(t, after.answer.At("event_id"), events[0].ID, name)
			if c.want == nil {
				require.Equal(t, got[0], events[1].ID, name)
				events = events[1:]
			}
			require.EqualValues(t, before.answer.At("event_id"), events[1].ID, name)
		}
	})
}

func conflictUntil(n, last int64) error {
	if n < last {
		return storage.ErrConflict
	}
	return nil
}

// wideRoom is a room of version 11 with extremities on which carol, who is on
// another server, says something each.
func (h *fixture) wideRoom(extremities int, members ...string) *model {
	m := h.shared("11", bob, carol)
	for _, name := range members {
		h.Act(name, string(m.id), "join", slicetest.O{})
	}
	h.learn()
	h.accepted(m.build(levelsDraft(m, 50, 50), m.tips...))
	fork := m.tips
	for n := range extremities {
		h.accepted(m.build(messageDraft(carol, strconv.Itoa(n)), fork...))
	}
	require.Len(h.T, m.tips, extremities)
	return m
}

// TestAPlanOfSeveralEventsInAWideRoom is one transaction there as well: nothing of
// it is there when its last event is refused or its rows fail, and readers never
// see a part of it.
func TestAPlanOfSeveralEventsInAWideRoom(t *testing.T) {
	errRows := errors.New("the rows cannot be")
	each(t, func(t *testing.T, h *fixture) {
		for _, extremities := range []int{25, 45} {
			m := h.wideRoom(extremities-1, "dora")
			h.accepted(m.build(memberDraft(bob, slicetest.User("dora"), "ban"), m.events[m.tips[0]].Event.PrevEvents...))
			require.Len(t, m.tips, extremities)
			room, nid := string(m.id), h.numberOf(string(m.id))
			topic := func(sender id.UserID, topic string) rooms.Draft {
				return rooms.Draft{Sender: sender, Type: "m.room.topic", StateKey: text(""), Content: []byte(`{"topic":"` + topic + `"}`)}
			}
			alice, before := slicetest.User("alice"), len(h.rows())
			// The oldest extremities know nothing of the ban.
			_, err := h.Rooms.Plan(t.Context(), nid, false, nil, topic(alice, "first"),
				rooms.Draft{Sender: slicetest.User("dora"), Type: "m.room.message", Content: []byte(`{}`)})
			var refused *rooms.Refusal
			require.ErrorAs(t, err, &refused)
			require.False(t, refused.Malformed)
			_, err = h.Rooms.Plan(t.Context(), nid, false, func(context.Context, *storage.Writer) error { return errRows },
				topic(alice, "first"), topic(alice, "second"))
			require.ErrorIs(t, err, errRows)
			require.Len(t, h.rows(), before)
			h.agrees()
			writes := 0
			ids, err := h.Rooms.Plan(t.Context(), nid, false, func(ctx context.Context, tx *storage.Writer) error { writes++; return nil },
				topic(alice, "first"), topic(alice, "second"), topic(alice, "third"))
			require.NoError(t, err)
			require.Equal(t, 1, writes)
			for i, eventID := range ids[1:] {
				require.Contains(t, h.eventOf(eventID).PrevEvents, ids[i])
			}
			h.learn()
			h.agrees()
			require.Equal(t, "third", h.State("alice", room, "m.room.topic", "").At("topic"))
			h.Send("alice", room, "and on")
			h.learn()
			h.agrees()
		}
	})
}

// isPlaced tells whether an event is part of its room.
func (h *fixture) isPlaced(eventID id.EventID) (placed bool) {
	err := h.DB.Read(h.T.Context(), func(tx *storage.Reader) error {
		row, err := tx.Event(h.T.Context(), eventID)
		placed = err == nil && !row.Outlier
		return nil
	})
	return placed && err == nil
}

// eventOf reads a stored event.
func (h *fixture) eventOf(eventID id.EventID) *event.Event {
	e, err := event.Trusted(h.world.model.rules, eventID, h.row(eventID).PDU)
	require.NoError(h.T, err)
	return e
}

// TestAWideRoomBelievesNoStaleRefusal: another process gives dora the power that
// she lacks in what this one remembers.
func TestAWideRoomBelievesNoStaleRefusal(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.wideRoom(60, "dora")
		room := string(m.id)
		require.Equal(t, 403, h.Do("PUT", roomtest.At(room, "state/m.room.topic/"), "dora", slicetest.O{"topic": "mine"}).Status)
		other := h.another(nil)
		for range 3 { // until she has it by all extremities that an event follows
			other.levels(room, slicetest.O{string(bob): 50, string(carol): 50, string(slicetest.User("dora")): 50})
		}
		h.Set("dora", room, "m.room.topic", "", slicetest.O{"topic": "mine"})
	})
}

// TestALaneDoesNotWaitForTheFeed: while a writer of another process keeps later
// changes from being told, what another server sends is written, and its room's
// lane is free.
func TestALaneDoesNotWaitForTheFeed(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		if h.DB.Engine() == "sqlite" {
			t.Skip("NOT RUN: SQLite has one writer: nothing is written behind one that has not ended")
		}
		m := h.shared("11", bob)
		parked, let := make(chan struct{}), make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			err := h.DB.Write(context.WithoutCancel(t.Context()), func(tx *storage.Writer) error {
				if _, err := tx.ReservePosition(t.Context()); err != nil {
					return err
				}
				close(parked)
				<-let
				return errors.New("given up")
			})
			if err == nil {
				t.Error("it was to be given up")
			}
		})
		<-parked
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for n := range 3 {
			e := m.build(messageDraft(bob, strconv.Itoa(n)), m.tips...)
			require.Equal(t, rooms.Accepted, m.receive(e))
			all.Go(func() {
				if receipt, err := h.Rooms.Receive(ctx, "hs2", m.id, e.PDU()); err != nil || receipt.Outcome != rooms.Accepted {
					t.Error(receipt, err)
				}
			})
			require.Eventually(t, func() bool { return h.isPlaced(e.ID) }, 20*time.Second, 5*time.Millisecond)
		}
		close(let)
		all.Wait()
		h.agrees()
	})
}

// TestAJoinThatIsPlannedAgainStartsAnew: dora joins a restricted room and is
// invited before that is written, so that nobody has to let her in any more.
//
// Spec: client-server m.room.member, join_authorised_via_users_server.
func TestAJoinThatIsPlannedAgainStartsAnew(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		club := h.Public("dora")
		room := h.Create("alice", slicetest.O{"room_version": "10", "initial_state": []slicetest.O{{
			"type":    "m.room.join_rules",
			"content": slicetest.O{"join_rule": "restricted", "allow": []slicetest.O{{"type": "m.room_membership", "room_id": club}}},
		}}})
		other := h.another(nil)
		join := &request{method: "POST", path: roomtest.At(room, "join"), token: "dora", body: slicetest.O{}}
		h.batch(room, func() { other.Act("alice", room, "invite", roomtest.Target("dora")) }, join)
		require.Equal(t, 200, join.answer.Status, join.answer)
		member := h.State("alice", room, "m.room.member", string(slicetest.User("dora")))
		require.Equal(t, "join", member.At("membership"))
		require.Empty(t, member.At("join_authorised_via_users_server"))
	})
}
