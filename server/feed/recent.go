// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"slices"
	"sync"

	"touchstone.example/storage"
)

// maxRecent bounds how many of the newest changes are remembered. Most clients
// are no further behind.
const maxRecent = 4096

// recent holds the newest safe changes, the end of the log, so that not every reader
// has to query it.
type recent struct {
	mu    sync.RWMutex
	list  []storage.Change // in order: all changes after floor
	floor int64
}

func (r *recent) add(changes []storage.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, changes...)
	if len(r.list) < 2*maxRecent {
		return
	}
	cut := len(r.list) - maxRecent
	r.floor = r.list[cut-1].Pos
	for cut < len(r.list) && r.list[cut].Pos == r.floor { // never drop some of the changes at one position
		cut++
	}
	r.list = slices.Clone(r.list[cut:])
}

// Recent returns the changes in (since, upTo], oldest first, and whether this server
// remembers all of them. The caller has reached upTo and does not modify the result.
func (f *Feed) Recent(since, upTo int64) (changes []storage.Change, all bool) {
	r := &f.recent
	r.mu.RLock()
	defer r.mu.RUnlock()
	if since < r.floor {
		return nil, false
	}
	from, to := r.after(since), r.after(upTo)
	return r.list[from:max(from, to):max(from, to)], true
}

// after is the index of the first change after a position.
func (r *recent) after(pos int64) int {
	i, _ := slices.BinarySearchFunc(r.list, pos+1, func(c storage.Change, pos int64) int { return int(c.Pos - pos) })
	return i
}
