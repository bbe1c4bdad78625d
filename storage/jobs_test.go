// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func putJob(t *testing.T, db *storage.DB, kind, key, payload string, runAt int64) {
	t.Helper()
	require.NoError(t, db.Write(t.Context(), func(tx *storage.Writer) error {
		return tx.PutJob(t.Context(), kind, key, []byte(payload), runAt, 7)
	}))
}

func jobOf(t *testing.T, db *storage.DB, kind, key string) (j *storage.Job) {
	t.Helper()
	require.NoError(t, db.Read(t.Context(), func(tx *storage.Reader) (err error) {
		j, err = tx.Job(t.Context(), kind, key)
		return err
	}))
	return j
}

func takeJob(t *testing.T, db *storage.DB, j *storage.Job, holder string) (taken *storage.Job, err error) {
	err = db.Write(t.Context(), func(tx *storage.Writer) error {
		taken, err = tx.TakeJob(t.Context(), j, holder)
		return err
	})
	return taken, err
}

func TestJobsAreMergedByKey(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		woken := 0
		db.WatchJobs(func() { woken++ })
		putJob(t, db, "k", "a\x00", "first", 50)
		putJob(t, db, "k", "a\x00", "second", 90)
		j := jobOf(t, db, "k", "a\x00")
		require.Empty(t, j.Progress)
		require.Equal(t, &storage.Job{
			ID: j.ID, Kind: "k", Key: "a\x00", Payload: []byte("first"), Progress: j.Progress, Generation: 2, RunAt: 50, CreatedAt: 7,
		}, j)
		putJob(t, db, "k", "a\x00", "", 0)
		require.Zero(t, jobOf(t, db, "k", "a\x00").RunAt, "what is caused again does not wait for a later try")
		require.Equal(t, 3, woken)
		boom := errors.New("boom")
		require.ErrorIs(t, db.Write(t.Context(), func(tx *storage.Writer) error {
			require.NoError(t, tx.PutJob(t.Context(), "k", "b", nil, 0, 7))
			return boom
		}), boom)
		require.Equal(t, 3, woken, "a job that is not committed is none")
	})
}

func TestFreeJobsAreListedByTime(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for key, at := range map[string]int64{"c": 30, "a": 10, "b": 20, "d": 40, "held": 5} {
			putJob(t, db, "k", key, "", at)
		}
		putJob(t, db, "unknown", "x", "", 0)
		_, err := takeJob(t, db, jobOf(t, db, "k", "held"), "me")
		require.NoError(t, err)
		keys := func(list []*storage.Job) (keys []string) {
			for _, j := range list {
				keys = append(keys, j.Key)
			}
			return keys
		}
		require.NoError(t, db.Read(t.Context(), func(tx *storage.Reader) error {
			free, err := tx.FreeJobs(t.Context(), []string{"k", "other"}, 4)
			require.NoError(t, err)
			require.Equal(t, []string{"a", "b", "c"}, keys(free))
			held, err := tx.HeldJobs(t.Context(), []string{"k"})
			require.Equal(t, []string{"held"}, keys(held))
			return err
		}))
	})
}

// TestAJobHasOneHolder: whoever was it, and does not know that it is no longer,
// can write nothing.
func TestAJobHasOneHolder(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		putJob(t, db, "k", "a", "", 0)
		free := jobOf(t, db, "k", "a")
		first, err := takeJob(t, db, free, "first")
		require.NoError(t, err)
		require.EqualValues(t, 0, first.Attempts)
		_, err = takeJob(t, db, free, "second")
		require.ErrorIs(t, err, storage.ErrNotFound, "it is not as it was")
		save := func(j *storage.Job, progress string) error {
			return db.Write(t.Context(), func(tx *storage.Writer) error {
				if err := tx.HoldJob(t.Context(), j, []byte(progress)); err != nil {
					return err
				}
				return tx.PutServerInfo(t.Context(), "effect", progress)
			})
		}
		require.NoError(t, save(first, "one"))
		require.NoError(t, save(first, "two"))
		require.Equal(t, first, jobOf(t, db, "k", "a"))

		second, err := takeJob(t, db, first, "second")
		require.NoError(t, err)
		require.Equal(t, []byte("two"), second.Progress)
		require.EqualValues(t, 1, second.Attempts, "the first has failed")
		require.ErrorIs(t, save(first, "three"), storage.ErrLeaseLost)
		for name, end := range map[string]func(tx *storage.Writer) error{
			"finish": func(tx *storage.Writer) error { _, err := tx.FinishJob(t.Context(), first); return err },
			"free":   func(tx *storage.Writer) error { return tx.FreeJob(t.Context(), first, 0, 0, "") },
		} {
			require.ErrorIs(t, db.Write(t.Context(), end), storage.ErrLeaseLost, name)
		}
		require.NoError(t, db.Read(t.Context(), func(tx *storage.Reader) error {
			effect, err := tx.ServerInfo(t.Context(), "effect")
			require.Equal(t, "two", effect)
			return err
		}))
		require.NoError(t, save(second, "three"))
	})
}

func TestAJobThatIsCausedAgainIsDoneAgain(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		putJob(t, db, "k", "a", "", 0)
		j, err := takeJob(t, db, jobOf(t, db, "k", "a"), "me")
		require.NoError(t, err)
		require.NoError(t, db.Write(t.Context(), func(tx *storage.Writer) error { return tx.HoldJob(t.Context(), j, []byte("half")) }))
		putJob(t, db, "k", "a", "", 0)
		finish := func() (again *storage.Job) {
			require.NoError(t, db.Write(t.Context(), func(tx *storage.Writer) (err error) {
				again, err = tx.FinishJob(t.Context(), j)
				return err
			}))
			return again
		}
		again := finish()
		require.Equal(t, "me", again.Holder)
		require.Empty(t, again.Progress, "from the start")
		j = again
		require.Nil(t, finish())
		require.ErrorIs(t, db.Read(t.Context(), func(tx *storage.Reader) error {
			_, err := tx.Job(t.Context(), "k", "a")
			return err
		}), storage.ErrNotFound)
	})
}

func TestFailingJobsAreCounted(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for key, attempts := range map[string]int64{"a": storage.FailingAttempts, "b": storage.FailingAttempts + 1, "c": storage.FailingAttempts - 1} {
			putJob(t, db, "k", key, "", 0)
			j, err := takeJob(t, db, jobOf(t, db, "k", key), "me")
			require.NoError(t, err)
			require.NoError(t, db.Write(t.Context(), func(tx *storage.Writer) error {
				return tx.FreeJob(t.Context(), j, 99, attempts, "no \x00 luck")
			}))
		}
		j := jobOf(t, db, "k", "a")
		require.Equal(t, "no \x00 luck", j.LastError)
		require.EqualValues(t, 99, j.RunAt)
		require.Empty(t, j.Holder)
		require.NoError(t, db.Read(t.Context(), func(tx *storage.Reader) error {
			counts, err := tx.CountFailingJobs(t.Context())
			require.Equal(t, map[string]int64{"k": 2}, counts)
			return err
		}))
	})
}

// TestWhatIsCausedBegins: a job that is caused once more, while it is done or
// after its holder gave it back half done, begins at the start for whoever does it
// next. What its holder has done by then was done by what there was before.
func TestWhatIsCausedBegins(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write := func(fn func(tx *storage.Writer) error) {
			t.Helper()
			require.NoError(t, db.Write(t.Context(), fn))
		}
		save := func(j *storage.Job, progress string) {
			t.Helper()
			write(func(tx *storage.Writer) error { return tx.HoldJob(t.Context(), j, []byte(progress)) })
		}
		free := func(j *storage.Job) {
			t.Helper()
			write(func(tx *storage.Writer) error { return tx.FreeJob(t.Context(), j, 0, 0, "") })
		}
		take := func(key, holder string) *storage.Job {
			t.Helper()
			j, err := takeJob(t, db, jobOf(t, db, "k", key), holder)
			require.NoError(t, err)
			return j
		}
		putJob(t, db, "k", "saved", "", 0)
		j := take("saved", "first")
		save(j, "half")
		free(j)
		require.Equal(t, "half", string(take("saved", "second").Progress), "what nothing has caused again goes on")

		putJob(t, db, "k", "given back", "", 0)
		j = take("given back", "first")
		save(j, "half")
		putJob(t, db, "k", "given back", "", 0)
		free(j)
		require.Empty(t, take("given back", "second").Progress)

		putJob(t, db, "k", "taken over", "", 0)
		j = take("taken over", "first")
		putJob(t, db, "k", "taken over", "", 0)
		save(j, "half") // it goes on, and knows of nothing
		require.Equal(t, "half", string(j.Progress))
		j = take("taken over", "second")
		require.Empty(t, j.Progress)
		save(j, "all")
		require.Equal(t, "all", string(jobOf(t, db, "k", "taken over").Progress))

		putJob(t, db, "k", "waits", "", 0)
		j = take("waits", "first")
		save(j, "half")
		free(j)
		putJob(t, db, "k", "waits", "", 0)
		require.Empty(t, take("waits", "second").Progress)
	})
}
