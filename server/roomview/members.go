// SPDX-License-Identifier: Apache-2.0

package roomview

import (
	"context"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/filter"
	"touchstone.example/storage"
)

// Senders lists the senders of events, each once, in order of appearance.
func Senders(events []*storage.Event) []id.UserID {
	var out []id.UserID
	for _, e := range events {
		if !slices.Contains(out, e.Sender) {
			out = append(out, e.Sender)
		}
	}
	return out
}

// MembersOf reads the membership events of some users in a state.
//
// Spec: client-server "Lazy-loading room members".
func MembersOf(ctx context.Context, tx *storage.Reader, root string, users []id.UserID) ([]*storage.Event, error) {
	keys := make([]storage.StateKey, len(users))
	for i, u := range users {
		keys[i] = storage.StateKey{Type: event.TypeMember, Key: string(u)}
	}
	found, err := tx.StateGet(ctx, root, keys...)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	nids := make([]int64, 0, len(found))
	for _, nid := range found {
		nids = append(nids, nid)
	}
	slices.Sort(nids)
	return tx.ViewsByNID(ctx, nids)
}

// FilterHeader returns the parts of an event that filters read.
func FilterHeader(e *storage.Event, roomID id.RoomID) filter.Header {
	content := Content(e.Client)
	relates := event.Member(content, "m.relates_to")
	rel, _ := event.Text(event.Member(relates, "rel_type"))
	return filter.Header{Type: e.Type, Sender: e.Sender, RoomID: roomID, RelType: rel, Content: content}
}
