// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// Limits of a timeline.
const (
	defaultTimeline = 10
	maxTimeline     = 1000
)

// write puts the rooms into the answer.
func (a *answerBuilder) write(ctx context.Context, all *clientapi.SyncRooms, parts []*roomUpdate) error {
	threads, err := a.threads(ctx, parts)
	if err != nil {
		return err
	}
	for _, p := range parts {
		a.rememberMembers(p)
		if !p.joined {
			l := clientapi.SyncLeftRoom{Timeline: p.timelineBatch()}
			l.State, l.StateAfter = p.stateBatches()
			putRoom(&all.Leave, p.id, l)
			continue
		}
		if !a.initial && p.membership.Pos > a.since && a.JoinedLimited {
			p.limited = true
		}
		j := clientapi.SyncJoinedRoom{Timeline: p.timelineBatch(), Summary: p.summary()}
		j.State, j.StateAfter = p.stateBatches()
		j.UnreadNotifications, j.UnreadThreadNotifications = p.countsChanged(threads)
		putRoom(&all.Join, p.id, j)
	}
	return nil
}

// rememberMembers records the membership events that are sent for a room.
func (a *answerBuilder) rememberMembers(p *roomUpdate) {
	if !a.remembersMembers() {
		return
	}
	var more []int64
	for _, e := range p.state {
		if e.Type == event.TypeMember {
			more = append(more, e.NID)
		}
	}
	for _, e := range p.timeline {
		if e.Type == event.TypeMember && e.StateKey != nil && !p.stateAfter {
			more = append(more, e.NID)
		}
	}
	a.knownMembers = withMore(a.knownMembers, more)
}

func (p *roomUpdate) timelineBatch() *clientapi.TimelineBatch {
	batch := &clientapi.TimelineBatch{Events: p.events(p.timeline), Limited: api.Some(p.limited)}
	// The token's TopoPos is right before the timeline. Its position is that of this
	// answer, so that /members?at returns the members as of it.
	token := feed.Token{Epoch: p.Feed.Epoch(), Pos: p.answerBuilder.upTo}
	if len(p.timeline) > 0 {
		token.Room, token.TopoPos = true, p.prevBatch
	}
	batch.PrevBatch = api.Some(token.String())
	return batch
}

// events encodes events, with the fields that the filter selects.
func (p *roomUpdate) events(list []*storage.Event) []api.Raw {
	out := make([]api.Raw, len(list))
	for i, e := range list {
		out[i] = p.view.Event(e, "")
		if p.filter.Fields != nil {
			out[i] = p.filter.Fields.Project(nil, out[i])
		}
	}
	return out
}

// stateBatches returns the state as `state` or, with use_state_after, as `state_after`.
func (p *roomUpdate) stateBatches() (state, after *clientapi.StateEventBatch) {
	batch := &clientapi.StateEventBatch{Events: p.events(p.state)}
	if p.stateAfter {
		return nil, batch
	}
	return batch, nil
}

func (p *roomUpdate) summary() *clientapi.SyncRoomSummary {
	if p.counts == nil {
		return nil
	}
	return &clientapi.SyncRoomSummary{
		Heroes: p.heroes, JoinedMemberCount: api.Some(p.counts["join"]), InvitedMemberCount: api.Some(p.counts["invite"]),
	}
}

// threads returns the root event IDs of threads with unread events, if the filter asks
// for counts by thread.
func (a *answerBuilder) threads(ctx context.Context, parts []*roomUpdate) (map[int64]id.EventID, error) {
	var roots []int64
	for _, p := range parts {
		for nid := range p.unread {
			if nid != 0 && a.filter.Room.Timeline.UnreadThreadNotifications {
				roots = append(roots, nid)
			}
		}
	}
	if len(roots) == 0 {
		return nil, nil
	}
	return a.tx.EventIDs(ctx, roots)
}

// countsChanged returns the unread counts: of the whole room, or of the main timeline
// and each thread in threads.
func (p *roomUpdate) countsChanged(threads map[int64]id.EventID) (*clientapi.UnreadCounts, map[id.EventID]clientapi.UnreadCounts) {
	var main storage.UnreadCount
	var apart map[id.EventID]clientapi.UnreadCounts
	for nid, c := range p.unread {
		if root, ok := threads[nid]; ok {
			if apart == nil {
				apart = map[id.EventID]clientapi.UnreadCounts{}
			}
			apart[root] = unreadCounts(c)
			continue
		}
		main.Notify += c.Notify
		main.Highlight += c.Highlight
	}
	counts := unreadCounts(main)
	return &counts, apart
}

func unreadCounts(c storage.UnreadCount) clientapi.UnreadCounts {
	return clientapi.UnreadCounts{NotificationCount: api.Some(c.Notify), HighlightCount: api.Some(c.Highlight)}
}
