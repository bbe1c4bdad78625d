// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"
	"fmt"
	"sync"

	"touchstone.example/generated/clientapi"
	"touchstone.example/server/feed"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
)

// standing caches what every answer to a device contains, until a change for its user.
type standing struct {
	mu      sync.Mutex
	devices map[device]standingEntry
}

type standingEntry struct {
	counts *syncpart.KeyCounts
	asOf   int64
}

// addStanding adds to an answer what every answer to the device contains. tx is a
// snapshot with all changes up to the window's end; nil: one is opened if needed.
//
// Spec: client-server sync, "device_one_time_keys_count",
// "device_unused_fallback_key_types".
func (s *Sync) addStanding(ctx context.Context, tx *storage.Reader, w *request, out *clientapi.SyncResponse) error {
	if s.Standing == nil || w.who.Device == "" {
		return nil
	}
	counts, err := s.keyCounts(ctx, tx, w)
	if err != nil {
		return fmt.Errorf("keys of %s %s: %w", w.who.User, w.who.Device, err)
	}
	out.DeviceOneTimeKeysCount = counts.OneTime
	if counts.UnusedFallback != nil {
		out.DeviceUnusedFallbackKeyTypes = counts.UnusedFallback
	}
	return nil
}

func (s *Sync) keyCounts(ctx context.Context, tx *storage.Reader, w *request) (counts *syncpart.KeyCounts, err error) {
	d := deviceOf(w.who)
	s.standing.mu.Lock()
	entry, known := s.standing.devices[d]
	s.standing.mu.Unlock()
	if known && !s.Feed.Changed(entry.asOf, feed.KeysOf(s.Standing.Kinds(), w.who.User, nil)...) {
		return entry.counts, nil
	}
	asOf := w.upTo
	load := func(tx *storage.Reader) error {
		counts, err = s.Standing.Load(ctx, tx, w.who.User, w.who.Device)
		return err
	}
	if tx != nil {
		err = load(tx)
	} else {
		//house:allow stamp the counts are read after it
		asOf = s.Feed.Stamp()
		err = s.DB.Read(ctx, load)
	}
	if err != nil {
		return nil, err
	}
	s.standing.mu.Lock()
	defer s.standing.mu.Unlock()
	if s.standing.devices == nil || len(s.standing.devices) >= maxUsers {
		s.standing.devices = map[device]standingEntry{}
	}
	s.standing.devices[d] = standingEntry{counts, asOf}
	return counts, nil
}
