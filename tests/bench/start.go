// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"touchstone.example/tests/harness"
)

const starts = 20

// start measures the time from exec to the first response, with a new database
// and with an existing one, and the memory of an idle server.
func (b *bench) start() {
	binary, err := harness.Binary()
	b.must(err)
	once := func(o harness.Options) time.Duration {
		began := time.Now()
		p, err := harness.Exec(binary, b.TempDir(), o)
		b.must(err)
		resp, err := http.Get(p.ClientURL() + "/_matrix/client/versions")
		b.must(err)
		took := time.Since(began)
		b.must(resp.Body.Close())
		b.must(p.Kill())
		return took
	}
	var fresh, again []time.Duration
	for range starts {
		o := harness.Options{Engine: b.engine, Name: "hs1", Database: b.engine.NewDatabase(b.benchTB, true)}
		fresh = append(fresh, once(o))
		again = append(again, once(o))
	}
	b.times("exec to first answer, new database", fresh, "")
	b.times("exec to first answer", again, "under 50")
	b.memory(binary)
}

// memory waits until the start no longer affects the measurement, and then
// reads the resident size.
func (b *bench) memory(binary string) {
	p, err := harness.Exec(binary, b.TempDir(), harness.Options{Engine: b.engine, Name: "hs1", Database: b.engine.NewDatabase(b.benchTB, true)})
	b.must(err)
	defer p.Kill()
	resp, err := http.Get(p.ClientURL() + "/_matrix/client/versions")
	b.must(err)
	b.must(resp.Body.Close())
	<-time.After(2 * time.Second)
	b.add("resident memory, idle", resident(b.benchTB, p.Pid()), "MiB", "under 40")
}

func resident(t *benchTB, pid int) float64 {
	text := procValue(fmt.Sprintf("/proc/%d/status", pid), "VmRSS")
	kib, err := strconv.ParseFloat(strings.TrimSuffix(text, " kB"), 64)
	t.must(err)
	return kib / 1024
}
