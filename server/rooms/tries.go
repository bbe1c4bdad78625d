// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"fmt"
	"strconv"
	"time"

	"touchstone.example/server/env"
	"touchstone.example/storage"
)

// Who loses to another process begins again, so many times and for so long, with
// a pause before each that grows to 32 ms and is not the same in two processes.
const (
	maxTries  = 100
	maxTrying = 10 * time.Second
	// minTries are made however long they take: a process that stood still for
	// longer than maxTrying has lost to nobody meanwhile.
	minTries = 16
)

// tries counts how often one commit has begun.
type tries struct {
	r      *Rooms
	nid    int64 // of the room
	n      int
	passed func() time.Duration
}

func (r *Rooms) newTries(nid int64) *tries {
	return &tries{r: r, nid: nid, n: 1, passed: env.Stopwatch()}
}

// again pauses before the next try, or reports that there is none.
func (t *tries) again() bool {
	if t.n >= maxTries || t.n >= minTries && t.expired() {
		return false
	}
	most := time.Millisecond << min(t.n, 5)
	timer := time.NewTimer(time.Duration(t.r.env.Rand.Below("pause before a commit", strconv.FormatInt(t.nid, 10), int64(most))))
	defer timer.Stop()
	<-timer.C
	t.n++
	return true
}

func (t *tries) expired() bool { return t.passed() > maxTrying }

// gaveUp is storage.ErrBusy, which is answered with 503: the same request may well
// succeed later.
func (t *tries) gaveUp(err error) error {
	return fmt.Errorf("%w: commit to room %d, given up after %d tries: %w", storage.ErrBusy, t.nid, t.n, err)
}
