// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"context"
	"sync"
	"time"

	"touchstone.example/server/env"
)

// warnInterval is the least time between two logs of one warning. While PostgreSQL
// cannot be reached, one is due each second or with each commit.
const warnInterval = time.Minute

// warnings are the recently logged warnings by message.
type warnings struct {
	mu   sync.Mutex
	last map[string]*warning
}

type warning struct {
	since   func() time.Duration // it was logged
	skipped int                  // times since then
}

// warn logs an error, unless it has logged the same message in the last minute; the
// next log has the number of those left out.
func (f *Feed) warn(ctx context.Context, message string, err error) {
	w := &f.warnings
	w.mu.Lock()
	defer w.mu.Unlock()
	skipped := 0
	if last := w.last[message]; last != nil {
		if last.since() < warnInterval {
			last.skipped++
			return
		}
		skipped = last.skipped
	}
	if w.last == nil {
		w.last = map[string]*warning{}
	}
	w.last[message] = &warning{since: env.Stopwatch()}
	f.opts.Log.WarnContext(ctx, message, "error", err, "failed_before", skipped)
}
