// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/harness"
	"touchstone.example/tests/seedrand"
)

// TestRandomStops stops, kills and pauses servers under load, fills their disk, and
// kills their PostgreSQL: one server on SQLite, three on a PostgreSQL of the test's
// own. Afterwards each acknowledged message exists exactly once; a transaction ID
// stands for one event on every server; a request that SIGTERM left without a
// response has written nothing; every server is ready again.
func TestRandomStops(t *testing.T) {
	if harness.CannotPause != "" {
		t.Skip("NOT RUN: " + harness.CannotPause)
	}
	for _, e := range harness.Engines() {
		t.Run(string(e), func(t *testing.T) {
			s := newStops(t, e)
			defer replay(t)
			s.run(t)
			s.report(t)
		})
	}
}

// These bounds are generous: what takes longer hangs.
const (
	stopBound    = 10 * time.Second
	requestBound = time.Minute
)

// stops is one run of the tester.
type stops struct {
	servers []*harness.Server
	cluster *storagetest.Cluster // nil on SQLite
	dice    seedrand.Dice
	rooms   []string
	load    *load
	readers []*reader
	cut     int                      // requests that SIGTERM left without an answer
	done    map[string]int           // disturbances, by name
	took    map[string]time.Duration // the longest of each, until all servers answered again
	slowest time.Duration            // from SIGTERM to the end of a process
	said    progress
}

func newStops(t *testing.T, e harness.Engine) *stops {
	s := &stops{dice: seedrand.Dice(*randomSeed), done: map[string]int{}, took: map[string]time.Duration{}}
	o := harness.Options{Engine: e, Process: true}
	n := 1
	if e == harness.Postgres {
		s.cluster = storagetest.NewCluster(t)
		o.Database, n = s.cluster.URL(), 3
	}
	for range n {
		s.servers = append(s.servers, harness.Start(t, o))
	}
	first := s.servers[0]
	creator := first.User(t, "creator")
	users := first.Users(t, slices.Repeat([]string{"sender"}, 6)...)
	for range 3 {
		s.rooms = append(s.rooms, creator.PublicRoom(t, users...))
	}
	s.load = newLoad(s, users)
	for _, server := range s.servers {
		s.readers = append(s.readers, newReader(t, creator.On(server), s.rooms))
	}
	return s
}

// A disturbance is something that happens to the servers. It ends when all
// servers should answer again.
type disturbance struct {
	name string
	do   func(s *stops, t *testing.T)
}

func (s *stops) disturbances(t *testing.T) []disturbance {
	list := []disturbance{
		{"SIGTERM", (*stops).terminate}, {"SIGKILL", (*stops).kill}, {"SIGSTOP", (*stops).pause},
	}
	if s.cluster != nil {
		list = append(list, disturbance{"PostgreSQL killed", (*stops).killPostgres},
			disturbance{"PostgreSQL and a server killed", (*stops).killBoth})
		if s.cluster.NoDisk != "" {
			t.Log("NOT RUN: full disk: " + s.cluster.NoDisk)
			return list
		}
	}
	return append(list, disturbance{"full disk", (*stops).fillDisk}, disturbance{"SIGTERM on a full disk", (*stops).terminateFull})
}

// run has everything happen at least once, in rounds of a random order.
func (s *stops) run(t *testing.T) {
	s.load.start(t)
	list := s.disturbances(t)
	end := time.After(*randomDuration)
	for over := false; !over; {
		for i := len(list) - 1; i > 0; i-- {
			j := s.dice.Roll(i + 1)
			list[i], list[j] = list[j], list[i]
		}
		for _, d := range list {
			s.disturb(t, d)
		}
		s.said.say(t, "%s; %v", s.load, s.done)
		select {
		case <-end:
			over = true
		default:
			over = t.Failed()
		}
	}
	s.load.stop()
	s.compare(t)
}

// disturb lets the load run for a while and has one thing happen. Each server
// then acknowledges a message.
func (s *stops) disturb(t *testing.T, d disturbance) {
	s.load.hurry.Store(true) // more requests are under way when it happens
	wait(t, time.Duration(50+s.dice.Roll(100))*time.Millisecond)
	begin := time.Now()
	d.do(s, t)
	s.load.hurry.Store(false)
	for _, server := range s.servers {
		require.True(t, s.load.acknowledges(t, server), "%s: a server does not come back", d.name)
	}
	s.done[d.name]++
	s.took[d.name] = max(s.took[d.name], time.Since(begin))
}

func wait(t *testing.T, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

func (s *stops) server() *harness.Server { return seedrand.Pick(&s.dice, s.servers...) }

// terminate stops a server by SIGTERM. Those that it did not answer have written
// nothing: they wait until that has been seen, and then send again.
func (s *stops) terminate(t *testing.T) {
	victim := s.server()
	release := s.load.hold(victim)
	defer release()
	begin := time.Now()
	victim.Stop(t) // fails unless it ends with status 0
	took := time.Since(begin)
	require.Less(t, took, stopBound, "a stop hangs")
	s.slowest = max(s.slowest, took)
	cut := s.load.heldBack()
	s.cut += len(cut)
	victim.Restart(t)
	there := map[string]bool{}
	for _, room := range s.rooms {
		page := s.load.users[0].On(victim).Messages(t, room, "dir", "b", "limit", 1000)
		for _, text := range texts(page.At("chunk").List()) {
			there[text] = true
		}
	}
	for _, text := range cut {
		require.False(t, there[text], "%q was written, and its answer cut off by SIGTERM", text)
	}
}

func (s *stops) kill(t *testing.T) {
	victim := s.server()
	victim.Kill(t)
	wait(t, time.Duration(s.dice.Roll(100))*time.Millisecond)
	victim.Restart(t)
}

func (s *stops) pause(t *testing.T) {
	p := s.server().Process()
	require.NoError(t, p.Pause())
	wait(t, time.Duration(50+s.dice.Roll(1000))*time.Millisecond)
	require.NoError(t, p.Resume())
}

func (s *stops) fillDisk(t *testing.T) {
	free := s.fill(t)
	wait(t, time.Duration(50+s.dice.Roll(500))*time.Millisecond)
	free()
}

// terminateFull stops a server that cannot write what it would like to.
func (s *stops) terminateFull(t *testing.T) {
	free := s.fill(t)
	wait(t, time.Duration(s.dice.Roll(100))*time.Millisecond)
	victim := s.server()
	victim.Stop(t)
	free()
	victim.Restart(t)
}

// fill fills the disk of the database.
func (s *stops) fill(t *testing.T) (free func()) {
	if s.cluster != nil {
		s.cluster.FillDisk(t)
		return func() { s.cluster.FreeDisk(t) }
	}
	p := s.servers[0].Process()
	require.NoError(t, p.LimitFiles(0))
	return func() {
		if s.servers[0].Runs() {
			require.NoError(t, p.LimitFiles(-1))
		}
	}
}

func (s *stops) killPostgres(t *testing.T) {
	s.cluster.Kill(t)
	wait(t, time.Duration(s.dice.Roll(300))*time.Millisecond)
	s.cluster.Start(t)
}

func (s *stops) killBoth(t *testing.T) {
	s.cluster.Kill(t)
	victim := s.server()
	victim.Kill(t)
	s.cluster.Start(t)
	victim.Restart(t)
}

// compare compares what the readers have seen, and what all servers return now,
// with what was acknowledged.
func (s *stops) compare(t *testing.T) {
	last := map[string]string{}
	for _, room := range s.rooms {
		last[room] = s.load.users[0].Send(t, room, lastMessage)
	}
	for _, r := range s.readers {
		s.check(t, "/sync", r.upTo(t, last))
	}
	for _, server := range s.servers {
		u := s.load.users[0].On(server)
		all := map[string][]harness.Value{}
		for _, room := range s.rooms {
			for _, ev := range u.AllMessages(t, room, "f", 1000) {
				if ev.At("type").String() == "m.room.message" {
					all[room] = append(all[room], ev)
				}
			}
		}
		s.check(t, "/messages", all)
	}
}

func (s *stops) check(t *testing.T, what string, seen map[string][]harness.Value) {
	t.Helper()
	s.load.mu.Lock()
	defer s.load.mu.Unlock()
	found, times := map[string]string{}, map[string]int{}
	for _, events := range seen {
		for _, ev := range events {
			text, id := ev.At("content", "body").String(), ev.At("event_id").String()
			times[id]++
			require.Equal(t, 1, times[id], "%s: %s (%q) is there twice", what, id, text)
			if text == lastMessage {
				continue
			}
			require.Empty(t, found[text], "%s: %q is there as two events", what, text)
			require.True(t, s.load.tried[text], "%s: %q was never sent", what, text)
			found[text] = id
		}
	}
	for text, id := range s.load.acked {
		require.Equal(t, id, found[text], "%s: %q was acknowledged", what, text)
	}
}

func (s *stops) report(t *testing.T) {
	t.Log(s.load)
	t.Logf("SIGTERM left %d requests without an answer, none of them written; the slowest process ended after %s", s.cut, s.slowest.Round(time.Millisecond))
	for _, name := range slices.Sorted(maps.Keys(s.took)) {
		t.Logf("%-26s %5d times, at most %s", name, s.done[name], s.took[name].Round(time.Millisecond))
	}
}
