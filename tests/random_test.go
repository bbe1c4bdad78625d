// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"flag"
	"strings"
	"testing"
	"time"
)

// The random testers run shortly with every test run, and for as long as one
// likes by "make long". Their choices follow from the seed; what happens in
// between also depends on time.
var (
	randomDuration = flag.Duration("duration", 2*time.Second, "how long each random tester runs at least")
	randomSeed     = flag.Int("seed", 1, "the seed of the random testers")
)

// replay says how to run a tester again.
func replay(t *testing.T) {
	tester := strings.TrimPrefix(strings.Split(t.Name(), "/")[0], "TestRandom")
	t.Logf("to run it again: make long TESTER=%s SEED=%d DURATION=%s", tester, *randomSeed, *randomDuration)
}

// progress writes a line now and then in runs that take longer.
type progress struct {
	begin, last time.Time
}

func (p *progress) say(t *testing.T, format string, args ...any) {
	now := time.Now()
	if p.begin.IsZero() {
		p.begin, p.last = now, now
	}
	if now.Sub(p.last) >= time.Minute {
		p.last = now
		t.Logf("%s: "+format, append([]any{now.Sub(p.begin).Round(time.Second)}, args...)...)
	}
}
