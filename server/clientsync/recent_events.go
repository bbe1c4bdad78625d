// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"
	"slices"

	"touchstone.example/storage"
)

// maxCachedEvent is the size, in bytes, of the largest event that is cached.
const maxCachedEvent = 4096

// readNewEvents returns those of the events that are neither rejected nor soft-failed.
func (a *answerBuilder) readNewEvents(ctx context.Context, nids []int64) (map[int64]*storage.Event, error) {
	known, unknown := a.recentEvents.get(a.Feed, nids)
	if len(unknown) == 0 {
		return known, nil
	}
	events, err := a.tx.TimelineByNID(ctx, unknown)
	for _, e := range events {
		known[e.NID] = e
		if len(e.Client) <= maxCachedEvent {
			a.recentEvents.put(e.NID, e, e.RoomNID, a.upTo)
		}
	}
	return known, err
}

// loadNewEvents reads the timelines of those rooms whose whole window is in newEvents,
// and returns the other rooms. It reads the newest events of a room, at most limit.
func (a *answerBuilder) loadNewEvents(ctx context.Context, parts []*roomUpdate, limit int, into map[int64][]*storage.Event) ([]*roomUpdate, error) {
	if a.newEvents == nil {
		return parts, nil
	}
	last := func(p *roomUpdate) []int64 {
		list := a.newEvents[p.nid]
		return list[max(0, len(list)-limit):]
	}
	known := func(p *roomUpdate) bool { return p.since == a.since && p.upTo == a.upTo }
	var nids []int64
	for _, p := range parts {
		if known(p) {
			nids = append(nids, last(p)...)
		}
	}
	events, err := a.readNewEvents(ctx, nids)
	if err != nil {
		return nil, err
	}
	var others []*roomUpdate
	for _, p := range parts {
		var timeline []*storage.Event
		for _, nid := range slices.Backward(last(p)) {
			if e := events[nid]; e != nil {
				timeline = append(timeline, e)
			}
		}
		if !known(p) || len(timeline) < len(last(p)) { // an event was rejected or soft-failed meanwhile
			others = append(others, p)
			continue
		}
		into[p.nid] = timeline
	}
	return others, nil
}
