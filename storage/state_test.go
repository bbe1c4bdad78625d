// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func stateMember(i int) storage.StateKey {
	return storage.StateKey{Type: "m.room.member", Key: fmt.Sprintf("@user%d:example.org", i)}
}

func apply(t testing.TB, db *storage.DB, root string, set ...storage.StateSet) (next string) {
	t.Helper()
	require.NoError(t, db.Write(context.Background(), func(w *storage.Writer) (err error) {
		next, err = w.StateApply(context.Background(), root, set...)
		return err
	}))
	return next
}

func TestStateIsKeptAtEveryRoot(t *testing.T) {
	storagetest.EachURL(t, func(t *testing.T, url string) {
		db, err := storage.Open(t.Context(), url, storage.Options{Checks: true, StateNodes: 20})
		require.NoError(t, err)
		roots := []string{""}
		for i := range 200 {
			roots = append(roots, apply(t, db, roots[i],
				storage.StateSet{StateKey: stateMember(i), NID: int64(i + 1)},
				storage.StateSet{StateKey: storage.StateKey{Type: "m.room.name"}, NID: int64(1000 + i)}))
		}
		require.NoError(t, db.Close())

		db = storagetest.OpenURL(t, url) // nothing of it is in a cache
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			for _, n := range []int{0, 1, 17, 200} {
				got, err := r.StateGet(ctx, roots[n], stateMember(0), stateMember(n-1), stateMember(n), storage.StateKey{Type: "m.room.name"})
				require.NoError(t, err)
				want := map[storage.StateKey]int64{}
				if n > 0 {
					want[stateMember(0)], want[stateMember(n-1)] = 1, int64(n)
					want[storage.StateKey{Type: "m.room.name"}] = int64(999 + n)
				}
				require.Equal(t, want, got)
				for class, size := range map[storage.StateClass]int{storage.StateMembers: n, storage.StateOther: min(n, 1), storage.StateAll: n + min(n, 1)} {
					list, err := r.StateLoad(ctx, roots[n], class)
					require.NoError(t, err)
					require.Len(t, list, size)
				}
			}
			diff, err := r.StateDiff(ctx, roots[100], roots[102])
			require.NoError(t, err)
			require.ElementsMatch(t, []storage.StateChange{{New: 101}, {New: 102}, {Old: 1099, New: 1101}}, diff)
			diff, err = r.StateDiff(ctx, roots[5], roots[5])
			require.Empty(t, diff)
			return err
		})
		require.Equal(t, roots[100], apply(t, db, roots[101],
			storage.StateSet{StateKey: stateMember(100)}, storage.StateSet{StateKey: storage.StateKey{Type: "m.room.name"}, NID: 1099}))
	})
}

func TestNodesOfARolledBackStateAreStoredWhenTheyComeAgain(t *testing.T) {
	storagetest.EachURL(t, func(t *testing.T, url string) {
		db, err := storage.Open(t.Context(), url, storage.Options{})
		require.NoError(t, err)
		set := storage.StateSet{StateKey: stateMember(1), NID: 1}
		require.Error(t, db.Write(t.Context(), func(w *storage.Writer) error {
			_, err := w.StateApply(t.Context(), "", set)
			require.NoError(t, err)
			return errors.New("no")
		}))
		root := apply(t, db, "", set)
		require.NoError(t, db.Close())
		read(t, storagetest.OpenURL(t, url), func(ctx context.Context, r *storage.Reader) error {
			list, err := r.StateLoad(ctx, root, storage.StateAll)
			require.Equal(t, []int64{1}, list)
			return err
		})
	})
}

func TestRoomStateAtAPosition(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for nid := int64(1); nid <= 3; nid++ {
				require.NoError(t, w.InsertRoom(ctx, &storage.Room{NID: nid, ID: id.RoomID(fmt.Sprint("!r", nid))}))
			}
			require.NoError(t, w.PutRoomState(ctx, 1, 5, "a", false))
			require.NoError(t, w.PutRoomState(ctx, 1, 8, "b", true))
			require.NoError(t, w.PutRoomState(ctx, 1, 8, "c", true))
			return w.PutRoomState(ctx, 2, 7, "x", false)
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			for pos, want := range map[int64]string{4: "", 5: "a", 7: "a", 8: "c", 100: "c"} {
				root, err := r.RoomStateAt(ctx, 1, pos)
				require.NoError(t, err)
				require.Equal(t, want, root)
			}
			roots, err := r.RoomStatesAt(ctx, []int64{1, 2, 3, 4}, 7)
			require.NoError(t, err)
			require.Equal(t, map[int64]string{1: "a", 2: "x", 3: ""}, roots)
			moved, err := r.ResolvedIn(ctx, []int64{1, 2, 3}, 4, 8)
			require.NoError(t, err)
			require.Equal(t, map[int64]int64{1: 8}, moved)
			moved, err = r.ResolvedIn(ctx, []int64{1, 2, 3}, 4, 7)
			require.Empty(t, moved)
			return err
		})
	})
}

// BenchmarkState measures what design section 6 asks of the state structure:
// growth per change, lookup, difference and whole state by size of the room,
// with nothing in the cache.
func BenchmarkState(b *testing.B) {
	for _, n := range []int{1000, 10_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			benchEach(b, func(b *testing.B, db *storage.DB) { benchState(b, db, n) })
		})
	}
}

func benchState(b *testing.B, db *storage.DB, n int) {
	random := rand.New(rand.NewPCG(1, 2))
	set := make([]storage.StateSet, 0, n+10)
	for i := range n {
		set = append(set, storage.StateSet{StateKey: stateMember(i), NID: int64(i + 1)})
	}
	for i := range 10 {
		set = append(set, storage.StateSet{StateKey: storage.StateKey{Type: fmt.Sprint("m.room.", i)}, NID: int64(n + i + 1)})
	}
	root := apply(b, db, "", set...)
	change := func(root string) string {
		return apply(b, db, root, storage.StateSet{StateKey: stateMember(random.IntN(n)), NID: int64(1_000_000 + random.IntN(1_000_000))})
	}
	reading := func(b *testing.B, fn func(ctx context.Context, r *storage.Reader) error) {
		for b.Loop() {
			db.ForgetNodes()
			require.NoError(b, db.Read(b.Context(), func(r *storage.Reader) error { return fn(b.Context(), r) }))
		}
	}
	b.Run("change", func(b *testing.B) {
		rows, bytes := db.NodeSizes(b)
		for b.Loop() {
			root = change(root)
		}
		rows2, bytes2 := db.NodeSizes(b)
		b.ReportMetric(float64(rows2-rows)/float64(b.N), "nodes/op")
		b.ReportMetric(float64(bytes2-bytes)/float64(b.N), "stored-B/op")
	})
	b.Run("lookup", func(b *testing.B) {
		reading(b, func(ctx context.Context, r *storage.Reader) error {
			_, err := r.StateGet(ctx, root, stateMember(random.IntN(n)))
			return err
		})
	})
	b.Run("difference-of-10", func(b *testing.B) {
		later := root
		for range 10 {
			later = change(later)
		}
		reading(b, func(ctx context.Context, r *storage.Reader) error {
			_, err := r.StateDiff(ctx, root, later)
			return err
		})
	})
	b.Run("without-members", func(b *testing.B) {
		reading(b, func(ctx context.Context, r *storage.Reader) error {
			_, err := r.StateLoad(ctx, root, storage.StateOther)
			return err
		})
	})
	b.Run("whole", func(b *testing.B) {
		reading(b, func(ctx context.Context, r *storage.Reader) error {
			_, err := r.StateLoad(ctx, root, storage.StateAll)
			return err
		})
	})
}
