// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"fmt"
	"strconv"
	"time"

	"touchstone.example/server/env"
	"touchstone.example/storage"
)

// A commit that conflicts with another process's is retried, with bounds on number and
// time. The pause before each retry grows to 32 ms and is random.
const (
	maxAttempts  = 100
	maxRetryTime = 10 * time.Second
	// minAttempts are made however long they take: a process may just have been
	// suspended for longer than maxRetryTime.
	minAttempts = 16
)

// retries counts the attempts of one commit.
type retries struct {
	r      *Rooms
	nid    int64 // of the room
	n      int
	passed func() time.Duration
}

func (r *Rooms) newRetries(nid int64) *retries {
	return &retries{r: r, nid: nid, n: 1, passed: env.Stopwatch()}
}

// next pauses before the next try, or reports that there is none.
func (t *retries) next() bool {
	if t.n >= maxAttempts || t.n >= minAttempts && t.expired() {
		return false
	}
	most := time.Millisecond << min(t.n, 5)
	timer := time.NewTimer(time.Duration(t.r.env.Rand.Below("pause before a commit", strconv.FormatInt(t.nid, 10), int64(most))))
	defer timer.Stop()
	<-timer.C
	t.n++
	return true
}

func (t *retries) expired() bool { return t.passed() > maxRetryTime }

// busy is storage.ErrBusy, which is answered with 503: the same request may well
// succeed later.
func (t *retries) busy(err error) error {
	return fmt.Errorf("%w: commit to room %d, given up after %d tries: %w", storage.ErrBusy, t.nid, t.n, err)
}
