// SPDX-License-Identifier: Apache-2.0

// Command bench measures a server from outside and prints the results: start-up
// time, memory, and requests per second. Its part "engine" needs no server: it
// runs the benchmarks that compare the room engine with gomatrixserverlib.
// Progress goes to standard error and the table to standard output. It uses
// loopback addresses only and asserts nothing.
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

// A part is a group of measurements, made on one database engine.
type part struct {
	name string
	run  func(b *bench)
}

func parts() []part {
	return []part{
		{"start", (*bench).start}, {"rooms", (*bench).rooms}, {"send", (*bench).sends}, {"sync", (*bench).syncs},
		{"fanout", (*bench).fanout}, {"queries", (*bench).queries}, {"strict", (*bench).strict}, {"lab", (*bench).lab},
	}
}

// partSelected reports whether to measure a part.
func partSelected(name string) bool {
	return *only == "" || slices.Contains(strings.Split(*only, ","), name)
}

func partNames() []string {
	names := []string{enginePart}
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

// A bench is the measurements on one database engine.
type bench struct {
	*benchTB
	engine harness.Engine
	report *report
}

func main() {
	flag.Parse()
	os.Exit(run())
}

func run() (code int) {
	defer harness.TidyUp()
	t := newBenchTB("bench")
	defer func() {
		if failed := t.end(recover()); failed != nil {
			fmt.Fprintln(os.Stderr, "bench:", failed)
			code = 1
		}
	}()
	r := &report{Machine: machine(t)}
	if partSelected(enginePart) {
		fmt.Fprintln(os.Stderr, "bench: the room engine, for some minutes")
		t.sub(enginePart, func(t *benchTB) { r.Pairs = measurePairs(t) })
	}
	for _, e := range selectedEngines() {
		for _, p := range parts() {
			if !partSelected(p.name) {
				continue
			}
			fmt.Fprintf(os.Stderr, "bench: %s on %s\n", p.name, e)
			t.sub(p.name, func(t *benchTB) { p.run(&bench{t, e, r}) })
		}
	}
	if *asJSON {
		return r.writeJSON(os.Stdout)
	}
	return r.writeTable(os.Stdout)
}

// selectedEngines returns the database engines to measure on; none if no part
// needs one.
func selectedEngines() []harness.Engine {
	if !slices.ContainsFunc(parts(), func(p part) bool { return partSelected(p.name) }) {
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

// server starts a server as in production: durable, with the default profile,
// and with as little of lab mode as the harness needs.
func (b *bench) server(settings ...string) *harness.Server {
	s := harness.Start(b.benchTB, harness.Options{Engine: b.engine, Process: true,
		Settings: append([]string{"TOUCHSTONE_STRICTNESS_PROFILE=lenient", "TOUCHSTONE_STRICTNESS_ANSWERS=false"}, settings...)})
	s.Unchecked = true
	return s
}
