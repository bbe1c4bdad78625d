// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"touchstone.example/tests/harness"
	"touchstone.example/tests/touchstonetest"
)

// What a lab holds when it is reset or restored.
const (
	labUsers = 100
	labRooms = 50
	labPolls = 20
	labRuns  = 20
)

// lab measures what tests of clients wait for. Lab mode is on SQLite.
func (b *bench) lab() {
	if b.engine != harness.SQLite {
		return
	}
	b.labStarts()
	var login []time.Duration
	for i := range labRuns {
		began := time.Now()
		s, err := touchstonetest.Start(context.Background())
		b.must(err)
		u := s.User(b.benchTB, fmt.Sprint("alice", i))
		login = append(login, time.Since(began))
		if u.Token == "" {
			b.Errorf("no token")
		}
		b.must(s.Close())
	}
	b.times("touchstonetest.New to a logged-in user", login, "under 30")

	s, err := touchstonetest.Start(context.Background())
	b.must(err)
	defer s.Close()
	users := b.fillLab(s)
	took := b.timed(1, func() { s.Snapshot(b.benchTB, "filled") })
	b.add(fmt.Sprintf("save a snapshot, %d users, %d rooms", labUsers, labRooms), ms(took[0]), "ms", "")
	var restores, resets []time.Duration
	for range labRuns {
		end := b.polls(s, users)
		restores = append(restores, b.timed(1, func() { s.Restore(b.benchTB, "filled") })...)
		end()
		end = b.polls(s, users)
		resets = append(resets, b.timed(1, func() { s.Reset(b.benchTB) })...)
		end()
		s.Restore(b.benchTB, "filled")
	}
	what := fmt.Sprintf("%d users, %d rooms, %d long polls", labUsers, labRooms, labPolls)
	b.times("restore, "+what, restores, "under 20")
	b.times("reset, "+what, resets, "under 5")
}

func (b *bench) timed(n int, f func()) (took []time.Duration) {
	for range n {
		began := time.Now()
		f()
		took = append(took, time.Since(began))
	}
	return took
}

// labStarts measures the time from exec to the first answer in lab mode.
func (b *bench) labStarts() {
	binary, err := harness.Binary()
	b.must(err)
	var took []time.Duration
	for range labRuns {
		began := time.Now()
		p, err := harness.Exec(binary, b.TempDir(), harness.Options{Engine: b.engine, Name: "hs1", Database: "sqlite::memory:"})
		b.must(err)
		resp, err := http.Get(p.ClientURL() + "/_matrix/client/versions")
		b.must(err)
		took = append(took, time.Since(began))
		b.must(resp.Body.Close())
		b.must(p.Kill())
	}
	b.times("exec to first answer, lab mode", took, "under 30")
}

// fillLab makes users, and rooms with some of them and a message.
func (b *bench) fillLab(s *touchstonetest.Server) []*touchstonetest.User {
	names := make([]string, labUsers)
	for i := range names {
		names[i] = fmt.Sprint("user-", i)
	}
	users := s.Users(b.benchTB, names...)
	for i := range labRooms {
		var room struct {
			ID string `json:"room_id"`
		}
		users[i].Do(b.benchTB, "POST", harness.Path("v3/createRoom"), harness.O{"preset": "public_chat"}).Decode(b.benchTB, &room)
		for _, u := range []*touchstonetest.User{users[(i+1)%labUsers], users[(i+2)%labUsers]} {
			u.Do(b.benchTB, "POST", harness.Path("v3/rooms/{}/join", room.ID), harness.O{})
		}
		users[i].Do(b.benchTB, "PUT", harness.Path("v3/rooms/{}/send/m.room.message/1", room.ID), harness.Text("hello"))
	}
	return users
}

// polls has users wait for news; end returns when all are answered.
func (b *bench) polls(s *touchstonetest.Server, users []*touchstonetest.User) (end func()) {
	var answered sync.WaitGroup
	for _, u := range users[:labPolls] {
		var first struct {
			Next string `json:"next_batch"`
		}
		u.Do(b.benchTB, "GET", harness.Path("v3/sync"), nil).Decode(b.benchTB, &first)
		answered.Add(1)
		go func() {
			defer answered.Done()
			u.Do(b.benchTB, "GET", harness.Path("v3/sync")+harness.Query("since", first.Next, "timeout", 60000), nil)
		}()
	}
	<-time.After(20 * time.Millisecond) // they wait by then
	return answered.Wait
}
