// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func receipt(room int64, user id.UserID, thread int64, kind string, eventPos, pos int64) *storage.Receipt {
	return &storage.Receipt{
		RoomNID: room, UserID: user, ThreadNID: thread, Kind: kind, EventID: id.EventID("$" + string(user)), EventPos: eventPos, TS: 100 + pos, Pos: pos,
	}
}

func putReceipts(t *testing.T, db *storage.DB, list ...*storage.Receipt) {
	t.Helper()
	write(t, db, func(ctx context.Context, w *storage.Writer) error {
		for _, c := range list {
			require.NoError(t, w.PutReceipt(ctx, c))
		}
		return nil
	})
}

func TestReceiptsMoveForwardOnly(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		first, next := receipt(1, "@a:t", 7, "m.read", 5, 10), receipt(1, "@a:t", 7, "m.read", 6, 13)
		first.Thread, next.Thread, next.EventID = "$t\x00", "$t\x00", "$next"
		others := []*storage.Receipt{
			receipt(1, "@a:t", storage.WholeRoom, "m.read", 1, 11),
			receipt(1, "@a:t", 7, "m.read.private", 1, 11),
			receipt(1, "@b:t", 7, "m.read", 1, 11),
			receipt(2, "@a:t", 7, "m.read", 1, 11),
		}
		requireReceipt := func(want *storage.Receipt) {
			t.Helper()
			read(t, db, func(ctx context.Context, r *storage.Reader) error {
				got, err := r.Receipt(ctx, want.RoomNID, want.UserID, want.ThreadNID, want.Kind)
				require.Equal(t, want, got)
				return err
			})
		}
		putReceipts(t, db, append(others, first)...)
		putReceipts(t, db, receipt(1, "@a:t", 7, "m.read", 4, 12), receipt(1, "@a:t", 7, "m.read", 5, 12))
		requireReceipt(first)
		putReceipts(t, db, next)
		requireReceipt(next)
		for _, c := range others {
			requireReceipt(c)
		}
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			_, err := r.Receipt(ctx, 1, "@a:t", 0, "m.read")
			require.ErrorIs(t, err, storage.ErrNotFound, "in the main timeline")
			return nil
		})
	})
}

func TestReceiptsOfRoomsAndOfAUser(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		a1, a2, private := receipt(1, "@a:t", 0, "m.read", 1, 14), receipt(2, "@a:t", 0, "m.read", 1, 11), receipt(2, "@a:t", 0, "m.read.private", 2, 12)
		b1, b2, c1 := receipt(1, "@b:t", 0, "m.read", 1, 12), receipt(2, "@b:t", 0, "m.read", 1, 11), receipt(1, "@c:t", 0, "m.read", 1, 10)
		putReceipts(t, db, private, a1, a2, b2, b1, c1, receipt(3, "@b:t", 0, "m.read", 1, 12))
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			for _, c := range []struct {
				rooms       []int64
				kind        string
				but         id.UserID
				after, upTo int64
				want        []*storage.Receipt
			}{
				{[]int64{2, 1, 9}, "m.read", "", 10, 14, []*storage.Receipt{b1, a1, a2, b2}},
				{[]int64{2, 1}, "m.read", "", 9, 13, []*storage.Receipt{c1, b1, a2, b2}},
				{[]int64{2, 1}, "m.read", "@a:t", 0, 14, []*storage.Receipt{c1, b1, b2}},
				{[]int64{2}, "m.read.private", "@b:t", 0, 14, []*storage.Receipt{private}},
				{[]int64{2, 1}, "m.read", "", 14, 20, nil},
				{nil, "m.read", "", 0, 20, nil},
			} {
				got, err := r.ReceiptsIn(ctx, c.rooms, c.kind, c.but, c.after, c.upTo)
				require.NoError(t, err)
				require.Equal(t, c.want, got, "%+v", c)
			}
			got, err := r.ReceiptsOf(ctx, "@a:t", 10, 14)
			require.NoError(t, err)
			require.Equal(t, []*storage.Receipt{a1, a2, private}, got)
			got, err = r.ReceiptsOf(ctx, "@a:t", 11, 13)
			require.Equal(t, []*storage.Receipt{private}, got)
			return err
		})
	})
}
