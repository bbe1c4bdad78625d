// SPDX-License-Identifier: Apache-2.0

package feed_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/feed"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// at is a token of a feed's history.
func at(f *feed.Feed, pos int64) *feed.Token { return &feed.Token{Epoch: f.Epoch(), Pos: pos} }

// A token that one server gives is reached on every other at once.
func TestReachGetsToATokensPosition(t *testing.T) {
	each(t, func(t *testing.T, servers []server) {
		for i := range 30 {
			writer, reader := servers[i%len(servers)], servers[(i+1)%len(servers)]
			pos := commit(t, writer.DB, storage.Change{RoomNID: 1})
			upTo, err := reader.Reach(t.Context(), at(reader.Feed, pos))
			require.NoError(t, err)
			require.GreaterOrEqual(t, upTo, pos)
			pos = commit(t, writer.DB, storage.Change{RoomNID: 1})
			upTo, err = reader.Reach(t.Context(), nil)
			require.NoError(t, err)
			require.GreaterOrEqual(t, upTo, pos, "what was acknowledged before")
		}
	})
}

// A position is of the future if nobody has drawn it, and also if somebody has
// and then gave up: no token can have it.
func TestReachKnowsTheFuture(t *testing.T) {
	each(t, func(t *testing.T, servers []server) {
		pos := commit(t, servers[0].DB, storage.Change{RoomNID: 1})
		var drawn int64
		require.Error(t, servers[0].DB.Write(t.Context(), func(w *storage.Writer) (err error) {
			drawn, err = insert(w, storage.Change{RoomNID: 1})
			return errors.Join(err, errors.New("changed my mind"))
		}))
		require.Greater(t, drawn, pos)
		for _, s := range servers {
			for _, token := range []*feed.Token{
				at(s.Feed, drawn), at(s.Feed, pos+1_000_000), {Epoch: s.Epoch() + 1, Pos: pos}, {Epoch: 1 << 40},
			} {
				_, err := s.Reach(t.Context(), token)
				require.ErrorIs(t, err, feed.ErrFuture, "%+v", token)
			}
			upTo, err := s.Reach(t.Context(), nil)
			require.NoError(t, err)
			require.Equal(t, pos, upTo, "what was drawn in vain is nobody's position")
			require.Equal(t, pos, s.Stamp())
			require.Zero(t, s.SafeLag())
		}
	})
}

// A transaction that stays open after it has drawn holds up those who need what
// lies behind it. With a position to reach they are told so; without one, they
// get what there is.
func TestReachIsBounded(t *testing.T) {
	url := storagetest.PostgresURL(t)
	a, b := storagetest.OpenURL(t, url), storagetest.OpenURL(t, url)
	opts := feed.Options{Shared: true, TokenTimeout: 30 * time.Millisecond, NewestTimeout: 20 * time.Millisecond}
	open(t, a, opts)
	f := open(t, b, opts)
	reserved, finish, done := make(chan int64), make(chan struct{}), make(chan error)
	go func() {
		done <- a.Write(context.Background(), func(w *storage.Writer) error {
			pos, err := insert(w, storage.Change{RoomNID: 1})
			reserved <- pos
			<-finish
			return err
		})
	}()
	first := <-reserved
	second := commit(t, a, storage.Change{RoomNID: 2})
	_, err := f.Reach(t.Context(), at(f, second))
	require.ErrorIs(t, err, feed.ErrBehind)
	upTo, err := f.Reach(t.Context(), nil)
	require.NoError(t, err)
	require.Less(t, upTo, first)
	require.EqualValues(t, 2, f.Behind())
	require.ErrorIs(t, f.WaitFor(t.Context(), second), feed.ErrBehind)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, f.WaitFor(gone, second), context.Canceled)
	_, err = f.Reach(gone, at(f, second))
	require.ErrorIs(t, err, context.Canceled)
	close(finish)
	require.NoError(t, <-done)
	upTo, err = f.Reach(t.Context(), at(f, second))
	require.NoError(t, err)
	require.Equal(t, second, upTo)
}

func TestReachInsideATransactionPanics(t *testing.T) {
	each(t, func(t *testing.T, servers []server) {
		s := servers[0]
		require.Panics(t, func() {
			_ = s.Read(t.Context(), func(*storage.Reader) error {
				_, err := s.Reach(t.Context(), nil)
				return err
			})
		})
		require.Panics(t, func() {
			_ = s.Write(t.Context(), func(*storage.Writer) error {
				_, err := s.Reach(t.Context(), at(s.Feed, 0))
				return err
			})
		})
	})
}
