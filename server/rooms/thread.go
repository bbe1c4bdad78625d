// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"

	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/server/event"
	"touchstone.example/server/roomview"
	"touchstone.example/storage"
)

// A relation is how an event relates to another one; the zero relation is none.
//
// Spec: client-server "Forming relationships between events".
type relation struct {
	kind string // rel_type
	to   id.EventID
}

func relationIn(content raw.Raw) (r relation) {
	relates := event.Member(content, "m.relates_to")
	kind, _ := event.Text(event.Member(relates, "rel_type"))
	to, _ := event.Text(event.Member(relates, "event_id"))
	if kind == "" || to == "" {
		return relation{}
	}
	return relation{kind, id.EventID(to)}
}

// ThreadOf is the row of the root of the thread that an event is in, 0 for the main
// timeline. What redacted events said counts as before.
func ThreadOf(ctx context.Context, tx *storage.Reader, e *storage.Event) (int64, error) {
	return threadOf(ctx, tx, e.RoomNID, relationIn(raw.Raw(event.Member(e.PDU, "content"))))
}

// maxHops is how many events are followed to find the thread of one.
const maxHops = 3

// threadOf is the row of the root of the thread that an event with this relation
// is in, 0 for the main timeline. A root is an event of the room that is itself
// related to none.
//
// Spec: client-server "Threaded read receipts", "Threading".
func threadOf(ctx context.Context, tx *storage.Reader, roomNID int64, r relation) (int64, error) {
	for hops := 0; r.to != "" && hops <= maxHops; hops++ {
		rows, err := tx.EventsByID(ctx, []id.EventID{r.to})
		if err != nil || len(rows) == 0 || rows[0].RoomNID != roomNID || rows[0].Rejected || rows[0].Outlier {
			return 0, err
		}
		parent := relationIn(roomview.Content(rows[0].Client))
		if r.kind == "m.thread" && parent == (relation{}) {
			return rows[0].NID, nil
		}
		r = parent
	}
	return 0, nil
}
