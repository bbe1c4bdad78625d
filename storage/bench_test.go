// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func benchEach(b *testing.B, fn func(b *testing.B, db *storage.DB)) {
	b.Run("memory", func(b *testing.B) { fn(b, storagetest.Open(b)) })
	b.Run("file", func(b *testing.B) { fn(b, storagetest.OpenURL(b, "sqlite://"+b.TempDir()+"/a.db")) })
	b.Run("postgres", func(b *testing.B) { fn(b, storagetest.OpenURL(b, storagetest.PostgresURL(b))) })
}

// send writes what one message writes.
func send(ctx context.Context, w *storage.Writer, room *storage.Room, last int64) (nid int64, err error) {
	if nid, err = w.NextID(ctx, "events"); err != nil {
		return 0, err
	}
	k := storage.TxnKey{UserID: "@u:test", DeviceID: "D", Operation: fmt.Sprint("send ", room.NID), TxnID: fmt.Sprint(nid)}
	if _, err := w.Txn(ctx, k); err != storage.ErrNotFound {
		return 0, err
	}
	if err := w.CommitRoom(ctx, room); err != nil {
		return 0, err
	}
	if err := w.ReplaceForwardExtremities(ctx, room.NID, []int64{last}, nid); err != nil {
		return 0, err
	}
	if err := w.ClaimTxn(ctx, k, storage.TxnResult{EventNID: nid}, 1); err != nil {
		return 0, err
	}
	pos, err := w.ReservePosition(ctx)
	if err != nil {
		return 0, err
	}
	e := event(room.NID, nid, nid)
	e.ID, e.Pos = id.EventID(fmt.Sprintf("$%043d", nid)), pos
	e.PDU, e.Client = make([]byte, 900), make([]byte, 400)
	if err := w.InsertEvent(ctx, e); err != nil {
		return 0, err
	}
	if err := w.InsertUnread(ctx, storage.Unread{RoomNID: room.NID, Pos: pos}); err != nil {
		return 0, err
	}
	return nid, w.InsertChange(ctx, storage.Change{Pos: pos, Kind: "event", RoomNID: room.NID, Ref: nid})
}

func BenchmarkSend(b *testing.B) {
	for _, senders := range []int{1, 8} {
		b.Run(fmt.Sprint(senders), func(b *testing.B) {
			benchEach(b, func(b *testing.B, db *storage.DB) {
				var next atomic.Int64
				b.SetParallelism(senders) // times GOMAXPROCS goroutines; the sub-benchmark's name is the factor
				b.RunParallel(func(p *testing.PB) {
					room := &storage.Room{NID: next.Add(1), Version: 0}
					room.ID = id.RoomID(fmt.Sprint("!", room.NID))
					ctx := context.Background()
					require.NoError(b, db.Write(ctx, func(w *storage.Writer) error { return w.InsertRoom(ctx, room) }))
					var last int64
					for p.Next() {
						var nid int64
						err := db.Write(ctx, func(w *storage.Writer) (err error) {
							nid, err = send(ctx, w, room, last)
							return err
						})
						if err != nil {
							b.Error(err)
							return
						}
						last = nid
						room.Version++
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sends/s")
			})
		})
	}
}

func BenchmarkEmptyRead(b *testing.B) {
	benchEach(b, func(b *testing.B, db *storage.DB) {
		ctx := context.Background()
		for b.Loop() {
			err := db.Read(ctx, func(r *storage.Reader) error {
				_, err := r.Epoch(ctx)
				return err
			})
			require.NoError(b, err)
		}
	})
}

// BenchmarkUnread counts what a user has not read, which is little or much.
func BenchmarkUnread(b *testing.B) {
	for _, n := range []int64{1, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			benchEach(b, func(b *testing.B, db *storage.DB) {
				ctx := context.Background()
				require.NoError(b, db.Write(ctx, func(w *storage.Writer) error {
					for pos := range n {
						if err := w.InsertUnread(ctx, storage.Unread{RoomNID: 1, Pos: pos + 1}); err != nil {
							return err
						}
					}
					return w.PutMembership(ctx, &storage.Membership{RoomNID: 1, UserID: "@u:test", Membership: "join"})
				}))
				for b.Loop() {
					err := db.Read(ctx, func(r *storage.Reader) error {
						counts, err := r.UnreadIn(ctx, "@u:test", []int64{1}, n)
						require.Equal(b, n, counts[1][0].Notify)
						return err
					})
					require.NoError(b, err)
				}
			})
		})
	}
}
