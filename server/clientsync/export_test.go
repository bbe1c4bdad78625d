// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/server/filter"
	"touchstone.example/storage"
)

// KnowsRooms reports whether the rooms that a user is in are remembered.
func (s *Sync) KnowsRooms(user id.UserID) bool { return s.keys.get(s.Feed, user) != nil }

// KnowsMembers reports whether the number of a room's members is remembered.
func (s *Sync) KnowsMembers(roomNID int64) bool {
	known, _ := s.counts.get(s.Feed, []int64{roomNID})
	return len(known) > 0
}

// KnowsArrivals counts the events that are remembered.
func (s *Sync) KnowsArrivals() (n int) {
	for nid := range s.recentEvents.entries {
		known, _ := s.recentEvents.get(s.Feed, []int64{nid})
		n += len(known)
	}
	return n
}

// LooksAt counts the rooms that an answer after a position is about at first.
func (s *Sync) LooksAt(ctx context.Context, who api.Caller, since, upTo int64) (n int, err error) {
	err = s.DB.Read(ctx, func(tx *storage.Reader) error {
		w := &request{who: who, filter: &filter.Filter{}, since: since, upTo: upTo}
		list, err := (&answerBuilder{Sync: s, request: w, tx: tx}).changedMemberships(ctx)
		n = len(list)
		return err
	})
	return n, err
}
