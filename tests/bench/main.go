// SPDX-License-Identifier: Apache-2.0

// Command bench measures a server from outside and prints what it found: how
// fast it starts, what it needs, and how many requests it answers. Its part
// "engine" needs no server: it measures the room engine beside another
// implementation of it, by the benchmarks of the packages. Progress goes to standard error, the table to standard output. It listens and
// connects on loopback only, asserts nothing, and ends by itself.
//
//	go run ./tests/bench [-json] [-for 3s] [-engines sqlite,postgres] [-only engine,start,send,...]
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"touchstone.example/tests/harness"
)

var (
	asJSON  = flag.Bool("json", false, "print JSON in place of the table")
	each    = flag.Duration("for", 3*time.Second, "how long each throughput is measured")
	engines = flag.String("engines", "", "engines to measure, with commas (default: all that this machine has)")
	only    = flag.String("only", "", "parts to measure, with commas (default: all): "+strings.Join(partNames(), ", "))
)

// A part is one group of figures, measured on one engine.
type part struct {
	name string
	run  func(b *bench)
}

func parts() []part {
	return []part{
		{"start", (*bench).start}, {"rooms", (*bench).rooms}, {"send", (*bench).sends}, {"sync", (*bench).syncs},
		{"fanout", (*bench).fanout}, {"queries", (*bench).queries}, {"strict", (*bench).strict},
	}
}

// chosen tells whether a part is to be measured.
func chosen(name string) bool {
	return *only == "" || slices.Contains(strings.Split(*only, ","), name)
}

func partNames() []string {
	names := []string{enginePart}
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

// A bench measures on one engine.
type bench struct {
	*subject
	engine harness.Engine
	report *report
}

func main() {
	flag.Parse()
	os.Exit(run())
}

func run() (code int) {
	defer harness.TidyUp()
	t := newSubject("bench")
	defer func() {
		if failed := t.end(recover()); failed != nil {
			fmt.Fprintln(os.Stderr, "bench:", failed)
			code = 1
		}
	}()
	r := &report{Machine: machine(t)}
	if chosen(enginePart) {
		fmt.Fprintln(os.Stderr, "bench: the room engine, for some minutes")
		t.sub(enginePart, func(t *subject) { r.Pairs = measurePairs(t) })
	}
	for _, e := range chosenEngines() {
		for _, p := range parts() {
			if !chosen(p.name) {
				continue
			}
			fmt.Fprintf(os.Stderr, "bench: %s on %s\n", p.name, e)
			t.sub(p.name, func(t *subject) { p.run(&bench{t, e, r}) })
		}
	}
	if *asJSON {
		return r.writeJSON(os.Stdout)
	}
	return r.writeTable(os.Stdout)
}

// chosenEngines are the databases to measure on, none if no part needs one.
func chosenEngines() []harness.Engine {
	if !slices.ContainsFunc(parts(), func(p part) bool { return chosen(p.name) }) {
		return nil
	}
	var all []harness.Engine
	for _, e := range harness.Engines() {
		if *engines == "" || slices.Contains(strings.Split(*engines, ","), string(e)) {
			all = append(all, e)
		}
	}
	return all
}

// server starts a process like one in production: durable, with the default
// profile, and only what the harness needs of lab mode.
func (b *bench) server(settings ...string) *harness.Server {
	s := harness.Start(b.subject, harness.Options{Engine: b.engine, Process: true,
		Settings: append([]string{"TOUCHSTONE_STRICTNESS_PROFILE=lenient", "TOUCHSTONE_STRICTNESS_ANSWERS=false"}, settings...)})
	s.Unchecked = true
	return s
}
