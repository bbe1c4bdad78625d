// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

var (
	insertInfo = storage.NewQuery("t_insert", `INSERT INTO server_info (name, value) VALUES ($1, $2)`)
	infoIn     = storage.NewQuery("t_in", `SELECT name, value FROM server_info WHERE name = ANY($1) ORDER BY name`)
	infoLike   = storage.NewQuery("t_count", `SELECT COUNT(*) FROM server_info WHERE name >= $1`)
	posIn      = storage.NewQuery("t_pos", `SELECT pos FROM changes WHERE pos = ANY($2) AND kind = $1 ORDER BY pos`)
	lockInfo   = storage.NewQuery("t_lock", `SELECT value FROM server_info WHERE name = $1 FOR UPDATE`)
	putInfo    = storage.NewQuery("t_put", `UPDATE server_info SET value = $2 WHERE name = $1`)
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		require.NoError(t, db.Write(ctx, func(w *storage.Writer) error {
			require.NoError(t, w.PutServerInfo(ctx, "a", "1"))
			value, err := w.ServerInfo(ctx, "a")
			require.NoError(t, err)
			require.Equal(t, "1", value, "a transaction sees its own writes")
			return w.PutServerInfo(ctx, "a", "2")
		}))
		require.NoError(t, db.Read(ctx, func(r *storage.Reader) error {
			value, err := r.ServerInfo(ctx, "a")
			require.NoError(t, err)
			require.Equal(t, "2", value)
			_, err = r.ServerInfo(ctx, "b")
			require.ErrorIs(t, err, storage.ErrNotFound)
			return nil
		}))
	})
}

func TestAnErrorTakesEverythingBack(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		boom := errors.New("boom")
		var outcome storage.Outcome = -1
		err := db.Write(ctx, func(w *storage.Writer) error {
			w.OnEnd(func(o storage.Outcome) { outcome = o })
			require.NoError(t, w.PutServerInfo(ctx, "a", "1"))
			return boom
		})
		require.ErrorIs(t, err, boom)
		require.Equal(t, storage.RolledBack, outcome)
		require.PanicsWithValue(t, "bug", func() {
			_ = db.Write(ctx, func(w *storage.Writer) error {
				_, err := w.Exec(ctx, insertInfo, "a", "1")
				require.NoError(t, err)
				panic("bug")
			})
		})
		require.NoError(t, db.Write(ctx, func(w *storage.Writer) error {
			w.OnEnd(func(o storage.Outcome) { outcome = o })
			_, err := w.ServerInfo(ctx, "a")
			require.ErrorIs(t, err, storage.ErrNotFound)
			return nil
		}))
		require.Equal(t, storage.Committed, outcome)
	})
}

func TestASecondRowWithTheSameKeyLosesTheTransaction(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		err := db.Write(ctx, func(w *storage.Writer) error {
			_, err := w.Exec(ctx, insertInfo, "a", "1")
			require.NoError(t, err)
			_, err = w.Exec(ctx, insertInfo, "a", "2")
			require.ErrorIs(t, err, storage.ErrExists)
			_, err = w.ServerInfo(ctx, "a")
			require.ErrorIs(t, err, storage.ErrExists, "nothing works in a lost transaction")
			return nil
		})
		require.ErrorIs(t, err, storage.ErrExists, "it cannot be committed")
		err = db.Write(ctx, func(w *storage.Writer) error {
			require.NoError(t, w.Later(ctx, insertInfo, "a", "1"))
			err := w.Later(ctx, insertInfo, "a", "2")
			if db.Engine() == "sqlite" {
				require.ErrorIs(t, err, storage.ErrExists)
			}
			return nil
		})
		require.ErrorIs(t, err, storage.ErrExists, "the error of a queued statement comes with the commit")
		require.Equal(t, 0, countInfo(t, db))
	})
}

func countInfo(t *testing.T, db *storage.DB) (n int) {
	require.NoError(t, db.Read(t.Context(), func(r *storage.Reader) error {
		return r.Row(t.Context(), infoLike, []any{""}, &n)
	}))
	return n
}

func TestBatchedKeysAreFound(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		names := []string{`plain`, `quote"back\slash`, "$ünïcödé→🦊", "nul\x00in it", "one\x01", strings.Repeat("x", 255)}
		require.NoError(t, db.Write(ctx, func(w *storage.Writer) error {
			for _, name := range names {
				require.NoError(t, w.Later(ctx, insertInfo, storage.Text(name), storage.Text("="+name)))
			}
			for range 3 {
				pos, err := w.ReservePosition(ctx)
				require.NoError(t, err)
				require.NoError(t, w.InsertChange(ctx, storage.Change{Pos: pos, Kind: "k"}))
			}
			return nil
		}))
		var found []string
		look := func(keys any) []string {
			found = nil
			require.NoError(t, db.Read(ctx, func(r *storage.Reader) error {
				return r.Rows(ctx, infoIn, []any{keys}, func(scan func(...any) error) error {
					var name, value storage.Text
					if err := scan(&name, &value); err != nil {
						return err
					}
					require.Equal(t, "="+name, value, "foreign text comes back as it was")
					found = append(found, string(name))
					return nil
				})
			}))
			return found
		}
		require.ElementsMatch(t, names, look(append([]string{"missing", "miss\x00ing", "bad\xff"}, names...)))
		require.Equal(t, []string{"plain"}, look([]id.UserID{"plain", "other"}))
		require.Equal(t, []string{"nul\x00in it"}, look([]storage.Text{"nul\x00in it"}))
		require.Empty(t, look([]string{}))
		require.Empty(t, look([]string(nil)))
		require.NoError(t, db.Read(ctx, func(r *storage.Reader) error {
			var positions []int64
			require.NoError(t, r.Rows(ctx, posIn, []any{"k", []int64{3, 1, 1 << 62}}, func(scan func(...any) error) error {
				var pos int64
				err := scan(&pos)
				positions = append(positions, pos)
				return err
			}))
			require.Equal(t, []int64{1, 3}, positions)
			require.Panics(t, func() { _ = r.Rows(ctx, infoIn, []any{[][]byte{{1}}}, nil) })
			require.Panics(t, func() { _ = r.Row(ctx, infoLike, []any{struct{}{}}) })
			return nil
		}))
	})
}

func TestAQueryInsideTheRowsOfAnotherPanics(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		require.NoError(t, db.Write(ctx, func(w *storage.Writer) error { return w.PutServerInfo(ctx, "a", "1") }))
		stop := errors.New("stop")
		require.NoError(t, db.Read(ctx, func(r *storage.Reader) error {
			err := r.Rows(ctx, infoIn, []any{[]string{"a"}}, func(func(...any) error) error {
				require.Panics(t, func() { _, _ = r.ServerInfo(ctx, "a") })
				return stop
			})
			require.Equal(t, stop, err)
			_, err = r.ServerInfo(ctx, "a")
			require.NoError(t, err, "stopping early does no harm")
			return nil
		}))
	})
}

func TestANestedTransactionPanics(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		nothing := func(*storage.Reader) error { return nil }
		require.NoError(t, db.Write(ctx, func(*storage.Writer) error {
			require.Panics(t, func() { _ = db.Read(ctx, nothing) })
			return nil
		}))
		require.NoError(t, db.Read(ctx, func(*storage.Reader) error {
			require.Panics(t, func() { _ = db.Write(ctx, func(*storage.Writer) error { return nil }) })
			return nil
		}))
		require.NoError(t, db.Read(ctx, nothing), "one after the other is fine")
	})
}

func TestATransactionIsOverWhenItsFunctionReturns(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		var kept *storage.Reader
		var keptW *storage.Writer
		require.NoError(t, db.Read(ctx, func(r *storage.Reader) error { kept = r; return nil }))
		require.NoError(t, db.Write(ctx, func(w *storage.Writer) error { keptW = w; return nil }))
		_, err := kept.ServerInfo(ctx, "a")
		require.ErrorIs(t, err, storage.ErrClosed)
		require.ErrorIs(t, keptW.PutServerInfo(ctx, "a", "1"), storage.ErrClosed)
	})
}

func TestAReadKeepsItsSnapshotWhileOthersWrite(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		inside, written := make(chan struct{}), make(chan error, 1)
		go func() {
			<-inside
			written <- db.Write(ctx, func(w *storage.Writer) error { return w.PutServerInfo(ctx, "late", "1") })
		}()
		require.NoError(t, db.Read(ctx, func(r *storage.Reader) error {
			var before, after int
			require.NoError(t, r.Row(ctx, infoLike, []any{""}, &before))
			close(inside)
			require.NoError(t, <-written, "a reader does not hold up a writer")
			require.NoError(t, r.Row(ctx, infoLike, []any{""}, &after))
			require.Equal(t, before, after)
			return nil
		}))
		require.Equal(t, 1, countInfo(t, db))
	})
}

func TestManyWritersLoseNothing(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		var wg sync.WaitGroup
		var committed, kept atomic.Int64
		for worker := range 16 {
			wg.Go(func() {
				for i := range 30 {
					err := db.Write(ctx, func(w *storage.Writer) error {
						w.OnEnd(func(o storage.Outcome) {
							if o == storage.Committed {
								committed.Add(1)
							}
						})
						if _, err := w.Exec(ctx, insertInfo, fmt.Sprintf("%d/%d", worker, i), "x"); err != nil {
							return err
						}
						switch i % 5 {
						case 3:
							return errors.New("changed my mind")
						case 4:
							_, err := w.Exec(ctx, insertInfo, fmt.Sprintf("%d/0", worker), "twice")
							return err
						}
						return nil
					})
					if err == nil {
						kept.Add(1)
					}
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 16*18, kept.Load())
		require.Equal(t, kept.Load(), committed.Load())
		require.EqualValues(t, kept.Load(), countInfo(t, db))
	})
}

func TestACancelledContextStopsATransaction(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Write(ctx, func(w *storage.Writer) error {
			_, err := w.Exec(ctx, insertInfo, "a", "1")
			require.NoError(t, err)
			cancel()
			_, err = w.Exec(ctx, insertInfo, "b", "1")
			return err
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 0, countInfo(t, db))
		require.ErrorIs(t, db.Read(ctx, func(r *storage.Reader) error {
			_, err := r.ServerInfo(ctx, "a")
			return err
		}), context.Canceled)
	})
}

func TestADeadlockIsRunAgain(t *testing.T) {
	db := storagetest.OpenURL(t, storagetest.PostgresURL(t))
	ctx := t.Context()
	require.NoError(t, db.Write(ctx, func(w *storage.Writer) error {
		require.NoError(t, w.PutServerInfo(ctx, "a", ""))
		return w.PutServerInfo(ctx, "b", "")
	}))
	var met sync.WaitGroup
	met.Add(2)
	cross := func(first, second string) error {
		once := sync.OnceFunc(func() { met.Done(); met.Wait() })
		return db.Write(ctx, func(w *storage.Writer) error {
			var value string
			if err := w.Row(ctx, lockInfo, []any{first}, &value); err != nil {
				return err
			}
			once()
			if err := w.Row(ctx, lockInfo, []any{second}, &value); err != nil {
				return err
			}
			_, err := w.Exec(ctx, putInfo, second, value+first)
			return err
		})
	}
	result := make(chan error, 1)
	go func() { result <- cross("b", "a") }()
	require.NoError(t, cross("a", "b"))
	require.NoError(t, <-result)
	require.Positive(t, db.Stats().Retries)
}

func TestStatsCountTransactionsAndQueries(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		before := db.Stats()
		require.NoError(t, db.Write(ctx, func(w *storage.Writer) error {
			require.NoError(t, w.PutServerInfo(ctx, "a", "1"))
			return w.PutServerInfo(ctx, "b", "1")
		}))
		require.Equal(t, 2, countInfo(t, db))
		require.Equal(t, storage.Stats{Reads: 1, Writes: 1, Queries: 3}, db.Stats().Since(before))
	})
}

func TestTextIsOrderedByBytes(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		want := []string{"A", "B", "_", "a", "b", "ä", "ｚ", "🦊"}
		require.NoError(t, db.Write(ctx, func(w *storage.Writer) error {
			for _, i := range []int{5, 2, 7, 0, 4, 6, 1, 3} {
				require.NoError(t, w.PutServerInfo(ctx, want[i], ""))
			}
			return nil
		}))
		var got []string
		require.NoError(t, db.Read(ctx, func(r *storage.Reader) error {
			return r.Rows(ctx, infoIn, []any{want}, func(scan func(...any) error) error {
				var name, value string
				err := scan(&name, &value)
				got = append(got, name)
				return err
			})
		}))
		require.Equal(t, want, got)
	})
}

func TestTextIsOrderedByBytesInADatabaseOfAnotherLocale(t *testing.T) {
	db := storagetest.OpenURL(t, storagetest.PostgresURLIn(t, "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"))
	ctx := t.Context()
	var sorted bool
	require.NoError(t, db.Read(ctx, func(r *storage.Reader) error {
		return r.Row(ctx, storage.NewQuery("t_locale", `SELECT CAST('a' AS TEXT) < CAST('B' AS TEXT)`), nil, &sorted)
	}))
	require.True(t, sorted, "this database's own order is a dictionary's")
	require.NoError(t, db.Write(ctx, func(w *storage.Writer) error {
		require.NoError(t, w.PutServerInfo(ctx, "a", ""))
		return w.PutServerInfo(ctx, "B", "")
	}))
	var n int
	require.NoError(t, db.Read(ctx, func(r *storage.Reader) error {
		return r.Row(ctx, infoLike, []any{"a"}, &n)
	}))
	require.Equal(t, 1, n, "B is before a")
}
