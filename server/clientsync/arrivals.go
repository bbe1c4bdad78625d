// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"
	"slices"
	"sync"

	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// arrivals remembers the events that have just arrived, which all members of
// their rooms are told of at about the same time. An entry holds until something
// changes in the event's room.
type arrivals struct {
	mu     sync.Mutex
	events map[int64]arrival // by row
}

type arrival struct {
	event *storage.Event // nobody changes it
	asOf  int64
}

// Together they bound the memory that arrivals take.
const (
	maxArrivals     = 2048
	maxArrivalBytes = 4096 // larger events are read again
)

// of returns those of some events that may be in a timeline.
func (c *arrivals) of(ctx context.Context, tx *storage.Reader, f *feed.Feed, asOf int64, nids []int64) (map[int64]*storage.Event, error) {
	out := make(map[int64]*storage.Event, len(nids))
	var unknown []int64
	c.mu.Lock()
	for _, nid := range nids {
		if known := c.events[nid]; known.event != nil && !f.Changed(known.asOf, feed.Room(known.event.RoomNID)) {
			out[nid] = known.event
		} else {
			unknown = append(unknown, nid)
		}
	}
	c.mu.Unlock()
	if len(unknown) == 0 {
		return out, nil
	}
	events, err := tx.TimelineByNID(ctx, unknown)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.events == nil || len(c.events)+len(events) > maxArrivals {
		c.events = map[int64]arrival{}
	}
	for _, e := range events {
		out[e.NID] = e
		if len(e.Client) <= maxArrivalBytes && len(c.events) < maxArrivals {
			c.events[e.NID] = arrival{e, asOf}
		}
	}
	return out, nil
}

// loadArrived takes the timelines of the parts whose whole window is in the
// changes that were looked at, and returns the other parts. At most limit events
// of a room are read, the newest ones.
func (a *assembly) loadArrived(ctx context.Context, parts []*roomPart, limit int, into map[int64][]*storage.Event) ([]*roomPart, error) {
	if a.arrived == nil {
		return parts, nil
	}
	last := func(p *roomPart) []int64 {
		list := a.arrived[p.nid]
		return list[max(0, len(list)-limit):]
	}
	known := func(p *roomPart) bool { return p.since == a.since && p.upTo == a.upTo }
	var nids []int64
	for _, p := range parts {
		if known(p) {
			nids = append(nids, last(p)...)
		}
	}
	events, err := a.arrivals.of(ctx, a.tx, a.Feed, a.upTo, nids)
	if err != nil {
		return nil, err
	}
	var others []*roomPart
	for _, p := range parts {
		var timeline []*storage.Event
		for _, nid := range slices.Backward(last(p)) {
			if e := events[nid]; e != nil {
				timeline = append(timeline, e)
			}
		}
		if !known(p) || len(timeline) < len(last(p)) { // or a verdict has changed
			others = append(others, p)
			continue
		}
		into[p.nid] = timeline
	}
	return others, nil
}
