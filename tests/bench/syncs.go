// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"time"

	"touchstone.example/tests/harness"
)

const (
	syncRooms   = 100
	syncMembers = 50
)

// manyRooms makes a reader who is in a hundred rooms, and a writer who is in
// all of them.
func (b *bench) manyRooms(s *harness.Server) (reader, writer *harness.User, rooms []string) {
	reader, writer = s.User(b.benchTB, "reader"), s.User(b.benchTB, "writer")
	for range syncRooms {
		room := writer.PublicRoom(b.benchTB, reader)
		for i := range 10 {
			writer.Send(b.benchTB, room, fmt.Sprint("message ", i))
		}
		rooms = append(rooms, room)
	}
	return reader, writer, rooms
}

// syncs measures initial and incremental syncs of a user with many rooms.
func (b *bench) syncs() {
	s := b.server()
	reader, writer, rooms := b.manyRooms(s)
	var size int
	initial := b.repeat(20, func() { size = len(reader.Sync(b.benchTB).Raw()) })
	b.times(fmt.Sprintf("initial sync, %d rooms, %d kB", syncRooms, size/1000), initial, "under 20")

	since := reader.Since(b.benchTB)
	b.times(fmt.Sprintf("incremental sync, %d rooms, no news", syncRooms),
		b.repeat(200, func() { reader.Sync(b.benchTB, "since", since) }), "under 1")
	var took []time.Duration
	for i := range 200 {
		writer.Send(b.benchTB, rooms[i%len(rooms)], "news")
		began := time.Now()
		v := reader.Sync(b.benchTB, "since", since)
		took = append(took, time.Since(began))
		since = v.At("next_batch").String()
	}
	b.times(fmt.Sprintf("incremental sync, %d rooms, one message", syncRooms), took, "under 1")
	page := harness.Path("v3/rooms/{}/messages", rooms[0]) + "?dir=b&limit=10"
	b.times("messages, a page of 10", b.repeat(200, func() { reader.Get(b.benchTB, page) }), "")
}

// fanout measures the time until a message has reached the last of fifty
// waiting users.
func (b *bench) fanout() {
	s := b.server()
	sender := s.User(b.benchTB, "sender")
	room := sender.PublicRoom(b.benchTB)
	since := make([]string, syncMembers)
	members := make([]*harness.User, syncMembers)
	for i := range members {
		members[i] = s.User(b.benchTB, "member")
		members[i].Join(b.benchTB, room)
	}
	for i, m := range members {
		since[i] = m.Since(b.benchTB)
	}
	var last, acked []time.Duration
	for range 20 {
		began, answered, done := b.oneFanout(sender, room, members, since)
		acked = append(acked, answered.Sub(began))
		last = append(last, done.Sub(began))
	}
	b.times(fmt.Sprintf("send while %d members wait", syncMembers), acked, "")
	b.times(fmt.Sprintf("send to the last of %d waiting members", syncMembers), last, "under 10")
}

func (b *bench) oneFanout(sender *harness.User, room string, members []*harness.User, since []string) (began, answered, last time.Time) {
	type answer struct {
		i    int
		at   time.Time
		next string
		err  error
	}
	answers := make(chan answer, len(members))
	for i, m := range members {
		go func() {
			a, err := m.Try(b.ctx, http.MethodGet, harness.Path("v3/sync")+harness.Query("since", since[i], "timeout", 30000), nil)
			at := time.Now()
			if err != nil {
				answers <- answer{err: err}
				return
			}
			answers <- answer{i, at, a.JSON().At("next_batch").String(), nil}
		}()
	}
	<-time.After(200 * time.Millisecond) // until all of them are waiting
	began = time.Now()
	sender.Send(b.benchTB, room, "to everybody")
	answered = time.Now()
	for range members {
		a := <-answers
		b.must(a.err)
		since[a.i] = a.next
		if a.at.After(last) {
			last = a.at
		}
	}
	return began, answered, last
}
