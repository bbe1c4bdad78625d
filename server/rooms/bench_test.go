// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// BenchmarkReceive measures what an event of another server costs, by the size
// of the room and by what it brings: it extends the room, or it is a fork that
// joins, invites or sets the topic and has to be resolved with the other ones.
//
//	go test ./server/rooms -run xxx -bench Receive
func BenchmarkReceive(b *testing.B) {
	for _, members := range []int{10, 1000, 10_000, 50_000} {
		b.Run(strconv.Itoa(members), func(b *testing.B) {
			h := newFixture(b, storagetest.Open(b))
			m := h.shared("11", bob, carol)
			h.accepted(m.build(levelsDraft(m, 100, 50), m.tips...))
			h.crowd(members)
			for name, draft := range map[string]func(n int) event.Draft{
				"message": func(n int) event.Draft { return messageDraft(bob, strconv.Itoa(n)) },
				"topic":   func(n int) event.Draft { return topicDraft(bob, strconv.Itoa(n)) },
				"join": func(n int) event.Draft {
					user := id.UserID(fmt.Sprintf("@late%d-%s:hs2", n, b.Name()))
					return memberDraft(user, user, "join")
				},
				"invite": func(n int) event.Draft {
					return memberDraft(bob, id.UserID(fmt.Sprintf("@invited%d-%s:hs2", n, b.Name())), "invite")
				},
			} {
				b.Run(name+" in a line", func(b *testing.B) { h.receives(b, draft, false) })
				b.Run(name+" on a fork", func(b *testing.B) { h.receives(b, draft, true) })
			}
		})
	}
}

// receives measures events that come one after the other, or each on a fork of
// two that then meet.
func (h *fixture) receives(b *testing.B, draft func(int) event.Draft, fork bool) {
	m := h.world.model
	n := 0
	for b.Loop() {
		n++
		b.StopTimer()
		base := m.list[len(m.list)-1]
		if fork {
			h.extends(b, base, topicDraft(carol, fmt.Sprint("other ", n)))
		}
		e := h.after(draft(n), base)
		b.StartTimer()
		receipt, err := h.Rooms.Receive(b.Context(), "hs2", m.id, e.PDU())
		b.StopTimer()
		if err != nil || receipt.Outcome != rooms.Accepted {
			b.Fatal(receipt, err)
		}
		m.events[e.ID] = entry(e)
		m.list = append(m.list, e)
		if fork {
			h.extends(b, e, messageDraft(bob, "meet"), m.list[len(m.list)-2])
		}
		b.StartTimer()
	}
}

func (h *fixture) extends(b *testing.B, base *event.Event, d event.Draft, more ...*event.Event) {
	m := h.world.model
	e := h.after(d, append(more, base)...)
	receipt, err := h.Rooms.Receive(b.Context(), "hs2", m.id, e.PDU())
	if err != nil || receipt.Outcome != rooms.Accepted {
		b.Fatal(receipt, err)
	}
	m.events[e.ID] = entry(e)
	m.list = append(m.list, e)
}

// after builds an event with auth events of the room's state in the database,
// which is quicker than the model for rooms with a crowd.
func (h *fixture) after(d event.Draft, prevs ...*event.Event) *event.Event {
	m := h.world.model
	d.RoomID, d.OriginServerTS = m.id, 1_767_323_045_000+int64(len(m.list))
	for _, prev := range prevs {
		d.PrevEvents = append(d.PrevEvents, prev.ID)
		d.Depth = max(d.Depth, prev.Depth+1)
	}
	h.read(func(ctx context.Context, tx *storage.Reader) error {
		row, err := tx.Event(ctx, prevs[len(prevs)-1].ID)
		require.NoError(h.T, err)
		d.AuthEvents = authOf(ctx, h.T, tx, m, row.StateAfter, d)
		return nil
	})
	e, err := event.Build(m.rules, d, signerOf(d.Sender.Server()))
	require.NoError(h.T, err)
	return e
}

// BenchmarkSend sends one message after the other through the routes.
func BenchmarkSend(b *testing.B) {
	for name, open := range map[string]func() *storage.DB{
		"memory": func() *storage.DB { return storagetest.Open(b) },
		"file":   func() *storage.DB { return storagetest.OpenURL(b, "sqlite://"+b.TempDir()+"/a.db") },
	} {
		b.Run(name, func(b *testing.B) {
			h := newFixture(b, open())
			room := h.Public("bob")
			for b.Loop() {
				h.Send("alice", room, "a message of usual length, as people write them")
			}
		})
	}
}

// BenchmarkFanOut sends a message to fifty members who wait for it.
func BenchmarkFanOut(b *testing.B) {
	for name, open := range map[string]func() *storage.DB{
		"memory":   func() *storage.DB { return storagetest.Open(b) },
		"postgres": func() *storage.DB { return storagetest.OpenURL(b, storagetest.PostgresURL(b)) },
	} {
		b.Run(name, func(b *testing.B) {
			h := newFixture(b, open())
			var members, since []string
			for n := range 50 {
				members = append(members, fmt.Sprint("m", n))
			}
			room := h.Public(members...)
			for _, m := range members {
				since = append(since, h.OK("GET", "/_matrix/client/v3/sync", m, nil).At("next_batch"))
			}
			for b.Loop() {
				var told sync.WaitGroup
				for i, m := range members {
					told.Go(func() {
						since[i] = h.Do("GET", "/_matrix/client/v3/sync?timeout=60000"+slicetest.Query("since", since[i]), m, nil).At("next_batch")
					})
				}
				h.Send("alice", room, "to everybody")
				told.Wait()
			}
		})
	}
}
