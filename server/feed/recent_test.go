// SPDX-License-Identifier: Apache-2.0

package feed_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/feed"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func TestTheNewestChangesAreRemembered(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		before := commit(t, db, storage.Change{RoomNID: 7})
		f := open(t, db, feed.Options{Shared: db.Engine() == "postgres"})
		_, all := f.Recent(before-1, f.Stamp())
		require.False(t, all, "what was before the server started is not remembered")

		// Many positions with three changes each, until the oldest are forgotten.
		first, last := int64(0), int64(0)
		for range 30 {
			require.NoError(t, db.Write(t.Context(), func(w *storage.Writer) error {
				positions, err := w.ReservePositions(t.Context(), 100)
				if err != nil {
					return err
				}
				if first == 0 {
					first = positions[0]
				}
				last = positions[99]
				for _, pos := range positions {
					for room := int64(1); room <= 3; room++ {
						if err := w.InsertChange(t.Context(), storage.Change{Pos: pos, Kind: "test", RoomNID: room}); err != nil {
							return err
						}
					}
				}
				return nil
			}))
		}
		require.NoError(t, f.WaitFor(t.Context(), last))
		_, all = f.Recent(first, last)
		require.False(t, all)
		remembered := 0
		for since := last; ; since-- {
			got, all := f.Recent(since, last)
			if !all {
				break
			}
			var want []storage.Change
			require.NoError(t, db.Read(t.Context(), func(tx *storage.Reader) (err error) {
				want, err = tx.Changes(context.Background(), since, last, 100_000)
				return err
			}))
			require.Len(t, got, len(want))
			if remembered = len(got); remembered > 600 {
				require.Equal(t, want, got)
				break
			}
		}
		require.Greater(t, remembered, 600)
		part, all := f.Recent(last-10, last-5)
		require.True(t, all)
		require.Len(t, part, 3*5)
		require.Equal(t, last-9, part[0].Pos)
	})
}
