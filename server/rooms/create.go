// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"sync"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
	"touchstone.example/storage"
)

// A NewRoom is a room to create.
type NewRoom struct {
	Creator id.UserID
	Rules   *roomver.Rules // of its version
	Public  bool           // it is in the published room directory
}

// Create makes a room of the events that a function plans, in one transaction, and
// returns its ID. The function may ask the network, since a room that is not there
// yet has no queue that would wait. Where the room's ID is taken it runs again:
// either the commit finds that, or the function says so by storage.ErrExists.
func (r *Rooms) Create(ctx context.Context, n NewRoom, plan func(context.Context, *Head) (*Plan, error)) (id.RoomID, error) {
	for {
		h := r.newHead(n)
		p, err := plan(ctx, &Head{r, h})
		if err == nil {
			err = r.insertRoom(ctx, h, p)
		}
		switch {
		case err == nil:
			return h.room.ID, r.waitPublished(ctx, p.Events[len(p.Events)-1].pos)
		case !errors.Is(err, storage.ErrExists):
			return "", err
		}
		// Another process made a room with the same create event in the same
		// millisecond, and so the same ID: the next has another.
	}
}

// newHead is the head of an empty room. If the room ID is the create event's hash, it
// is not known yet.
func (r *Rooms) newHead(n NewRoom) *head {
	h := &head{rules: n.Rules, state: map[event.StateKey]*stored{}}
	h.room = &storage.Room{RoomVersion: n.Rules.Version, Public: n.Public, CreatedAt: r.env.NowTS()}
	if !n.Rules.RoomIDIsCreateHash {
		h.room.ID = id.RoomID("!" + r.env.Rand.Token("room id", string(n.Creator), 18) + ":" + string(r.name))
	}
	return h
}

// nextCreateTS is the time of a create event. In version 12 the room ID is the create
// event's hash. Strictly increasing times keep two identical requests in one
// millisecond from making the same room. If the clock is set back, so are the times.
func (r *Rooms) nextCreateTS() int64 {
	now := r.env.NowTS()
	c := &r.createTimes
	c.mu.Lock()
	defer c.mu.Unlock()
	const unordered = 1000 // concurrent calls may be out of order, by less than a second
	if now < c.clock-unordered {
		c.last = 0
	}
	c.clock = now
	c.last = max(now, c.last+1)
	return c.last
}

// createTimes remembers when the last room was made.
type createTimes struct {
	mu          sync.Mutex
	last, clock int64 // milliseconds: of the room, and what the clock said then
}

// insertRoom writes a new room. Nobody else can know it yet, so it needs no queue.
// Where a profile in it has changed meanwhile, the room is made all the same, since
// identity servers may have been asked for it, and people have mail from them; the
// job for profiles follows.
func (r *Rooms) insertRoom(ctx context.Context, h *head, p *Plan) error {
	var shown []*profile
	for _, ev := range p.Events {
		h.applyPlanned(ev)
		if ev.shows != nil {
			shown, ev.shows = append(shown, ev.shows), nil
		}
	}
	out := &Plan{Events: p.Events, ExtraWrites: both(r.updateLater(shown), p.ExtraWrites)}
	room := *h.room
	err := r.db.Write(ctx, func(tx *storage.Writer) (err error) {
		room = *h.room
		if room.NID, err = tx.NextID(ctx, "rooms"); err != nil {
			return err
		}
		h.room.NID = room.NID
		if err := tx.InsertRoom(ctx, &room); err != nil {
			return err
		}
		return r.writeBatch(ctx, tx, &room, nil, out)
	})
	if err != nil {
		return err
	}
	h.written(&room)
	r.heads.put(h)
	return nil
}

// updateLater puts the job for each of some profiles that has changed.
func (r *Rooms) updateLater(shown []*profile) ExtraWrites {
	return func(ctx context.Context, tx *storage.Writer) error {
		for _, p := range shown {
			err := p.checkUnchanged(ctx, tx)
			if errors.Is(err, storage.ErrConflict) {
				err = tx.PutJob(ctx, JobProfile, string(p.user), nil, 0, r.env.NowTS())
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}
