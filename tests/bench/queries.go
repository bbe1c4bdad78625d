// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"touchstone.example/tests/harness"
)

// queries counts transactions and queries per operation, from the server's
// metrics, while no other requests run.
func (b *bench) queries() {
	s := b.server()
	reader, writer, rooms := b.manyRooms(s)
	t := b.benchTB
	since := reader.Since(t)
	fresh := func() string { return s.Unique("new") }
	for _, op := range []struct {
		name string
		do   func()
	}{
		{"send", func() { writer.Send(t, rooms[0], "hello") }},
		{"set state", func() { writer.SetState(t, rooms[0], "test", fresh(), harness.O{}) }},
		{"redact", func() { writer.Redact(t, rooms[0], writer.Send(t, rooms[0], "x")) }},
		{"createRoom", func() { writer.CreateRoom(t, nil) }},
		{"join and leave", func() { reader.Leave(t, rooms[1]); reader.Join(t, rooms[1]) }},
		{"empty incremental sync", func() { reader.Sync(t, "since", since) }},
		{"initial sync, 100 rooms", func() { reader.Sync(t) }},
		{"messages", func() { reader.Messages(t, rooms[0], "dir", "b") }},
		{"get one event of state", func() { reader.State(t, rooms[0], "m.room.create", "") }},
		{"whoami", func() { reader.Get(t, harness.Path("v3/account/whoami")) }},
		{"login", func() { reader.Login(t, "ANOTHER") }},
		{"register (two requests)", func() { s.User(t, "new") }},
		{"send and incremental sync", func() {
			writer.Send(t, rooms[2], "hello")
			since = reader.Sync(t, "since", since).At("next_batch").String()
		}},
	} {
		if op.name == "empty incremental sync" {
			since = reader.Since(t)
		}
		b.count(s, op.name, op.do)
	}
}

const repeats = 20

func (b *bench) count(s *harness.Server, name string, do func()) {
	do()
	before := b.scrape(s)
	for range repeats {
		do()
	}
	after := b.scrape(s)
	if after.sum("touchstone_db_transactions_total") == 0 {
		b.Logf("  %s: the server's metrics count no transactions", name)
		return
	}
	per := func(prefix string) float64 { return (after.sum(prefix) - before.sum(prefix)) / repeats }
	b.add(name+": write transactions", per(`touchstone_db_transactions_total{kind="write"`), "", "")
	b.add(name+": read transactions", per(`touchstone_db_transactions_total{kind="read"`), "", "")
	b.add(name+": queries", per("touchstone_db_queries_total"), "", "")
}

// samples are metric values by name with labels.
type samples map[string]float64

func (b *bench) scrape(s *harness.Server) samples {
	resp, err := http.Get(s.MetricsURL() + "/metrics")
	b.must(err)
	defer resp.Body.Close()
	out := samples{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, ok := cutLast(lines.Text())
		if n, err := strconv.ParseFloat(value, 64); ok && err == nil {
			out[name] = n
		}
	}
	b.must(lines.Err())
	return out
}

func cutLast(line string) (name, value string, ok bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 || line[0] == '#' {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}

// sum adds the samples that begin with this name and these labels.
func (m samples) sum(prefix string) float64 {
	total := 0.0
	for name, v := range m {
		if strings.HasPrefix(name, prefix) {
			total += v
		}
	}
	return total
}

// strict compares request times with the check of responses on and off.
func (b *bench) strict() {
	for _, profile := range []string{"lenient", "strict"} {
		s := b.server("TOUCHSTONE_STRICTNESS_PROFILE="+profile, fmt.Sprintf("TOUCHSTONE_STRICTNESS_ANSWERS=%t", profile == "strict"))
		alice := s.User(b.benchTB, "alice")
		room := alice.CreateRoom(b.benchTB, nil)
		for range 20 {
			alice.Send(b.benchTB, room, "hello")
			alice.Sync(b.benchTB)
		}
		b.times("send, "+profile, b.repeat(200, func() { alice.Send(b.benchTB, room, "hello") }), "")
		b.times("initial sync of one room, "+profile, b.repeat(200, func() { alice.Sync(b.benchTB) }), "")
		b.add("sends a second, 8 senders in 8 rooms, "+profile, b.throughput(s, 8, 8), "1/s", "")
	}
}
