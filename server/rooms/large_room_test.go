// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/stateres"
	"touchstone.example/storage"
)

func entry(e *event.Event) stateres.Entry { return stateres.Entry{Event: e} }

// authOf selects the auth events of a draft from a state in the database.
func authOf(ctx context.Context, t testing.TB, tx *storage.Reader, m *model, root string, d event.Draft) (out []id.EventID) {
	var keys []storage.StateKey
	for _, key := range eventauth.AuthKeys(m.rules, d.Type, d.Sender, d.StateKey, d.Content) {
		keys = append(keys, storage.StateKey{Type: key.Type, Key: key.Key})
	}
	found, err := tx.StateGet(ctx, root, keys...)
	require.NoError(t, err)
	var nids []int64
	for _, nid := range found {
		nids = append(nids, nid)
	}
	ids, err := tx.EventIDs(ctx, nids)
	require.NoError(t, err)
	for _, eventID := range ids {
		out = append(out, eventID)
	}
	return out
}

// crowd puts many members into the room at once, straight into the database:
// receiving them one by one would take longer than what is measured.
func (h *fixture) crowd(n int) {
	h.T.Helper()
	m := h.world.model
	last := m.list[len(m.list)-1]
	tip := h.row(last.ID)
	for from := 0; from < n; from += 1000 {
		err := h.DB.Write(h.T.Context(), func(tx *storage.Writer) error {
			ctx := h.T.Context()
			room, err := tx.Room(ctx, m.id)
			require.NoError(h.T, err)
			var sets []storage.StateSet
			for i := from; i < min(n, from+1000); i++ {
				user := id.UserID(fmt.Sprintf("@member%d:hs3", i))
				d := memberDraft(user, user, "join")
				d.RoomID, d.PrevEvents, d.Depth, d.OriginServerTS = m.id, []id.EventID{last.ID}, last.Depth+1, 1_767_323_000_000
				d.AuthEvents = authOf(ctx, h.T, tx.Reader, m, tip.StateAfter, d)
				e, err := event.Build(m.rules, d, signerOf("hs3"))
				require.NoError(h.T, err)
				row := &storage.Event{
					ID: e.ID, RoomNID: room.NID, Type: e.Type, StateKey: e.StateKey, Sender: user, Depth: e.Depth,
					OriginServerTS: e.OriginServerTS, PDU: e.PDU(), Client: e.SyncJSON(), StateBefore: room.StateRoot,
				}
				auth, err := tx.EventsByID(ctx, e.AuthEvents)
				require.NoError(h.T, err)
				for _, a := range auth {
					row.AuthNIDs = append(row.AuthNIDs, a.NID)
				}
				row.NID, err = tx.NextID(ctx, "events")
				require.NoError(h.T, err)
				sets = append(sets, storage.StateSet{StateKey: storage.StateKey{Type: e.Type, Key: string(user)}, NID: row.NID})
				require.NoError(h.T, tx.InsertEvent(ctx, row))
				for _, nid := range row.AuthNIDs {
					require.NoError(h.T, tx.InsertAuthEdge(ctx, nid, row.NID))
				}
				require.NoError(h.T, tx.PutMembership(ctx, &storage.Membership{
					RoomNID: room.NID, UserID: user, Membership: "join", EventNID: row.NID, Sender: user, Pos: tip.Pos,
				}))
			}
			if room.StateRoot, err = tx.StateApply(ctx, room.StateRoot, sets...); err != nil {
				return err
			}
			tip.StateAfter = room.StateRoot
			require.NoError(h.T, tx.PutVerdict(ctx, tip))
			return tx.CommitRoom(ctx, room)
		})
		require.NoError(h.T, err)
	}
}
