// SPDX-License-Identifier: Apache-2.0

package clientsync_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/feed"
	"touchstone.example/storage"
	"touchstone.example/tests/slicetest"
)

// TestEachCacheEndsByItsTopic: for each kind of change, which caches it ends.
func TestEachCacheEndsByItsTopic(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		room := w.room("bob")
		nid := w.nid(room)
		bob := slicetest.User("bob")
		for _, kind := range feed.Kinds() {
			token := w.since("bob", "").At("next_batch")
			w.send(room)
			w.since("bob", token)
			w.since("bob", "")
			require.True(t, w.sync.KnowsRooms(bob), kind)
			require.True(t, w.sync.KnowsMembers(nid), kind)
			require.NotZero(t, w.sync.KnowsArrivals(), kind)

			w.change(kind, "bob", nid, 0)
			ofRoom := kind == feed.KindEvent || kind == feed.KindState
			require.Equal(t, !ofRoom, w.sync.KnowsRooms(bob), "%s: memberships", kind)
			require.Equal(t, !ofRoom, w.sync.KnowsMembers(nid), "%s: number of members", kind)
			require.Equal(t, !ofRoom, w.sync.KnowsArrivals() > 0, "%s: events", kind)
		}
		token := w.since("bob", w.since("bob", "").At("next_batch")).At("next_batch")
		w.send(room)
		require.Contains(t, w.since("bob", token).Body, `"hello"`)
		require.True(t, w.sync.KnowsRooms(bob), "a message is no change of membership")
	})
}

// busy has others do so much elsewhere that nobody remembers it all one by one.
func (w *fixture) busy() {
	w.t.Helper()
	var last int64
	for range 30 {
		require.NoError(w.t, w.DB.Write(w.t.Context(), func(tx *storage.Writer) error {
			positions, err := tx.ReservePositions(w.t.Context(), 100)
			for _, pos := range positions {
				last = pos
				if err == nil {
					err = tx.InsertChange(w.t.Context(), storage.Change{Pos: pos, Kind: string(feed.KindEvent), RoomNID: 1_000_000 + pos%7})
				}
			}
			return err
		}))
	}
	require.NoError(w.t, w.Feed.WaitFor(w.t.Context(), last))
}

// TestWhoIsFarBehindReadsNewsOfTheirOwnRooms: in proportion to the rooms with
// news, not to what others did nor to the rooms that the user is in.
func TestWhoIsFarBehindReadsNewsOfTheirOwnRooms(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		var rooms []string
		for range 12 {
			rooms = append(rooms, w.room("bob"))
		}
		one := w.room("carol")
		behind := map[string]string{"bob": w.since("bob", "").At("next_batch"), "carol": w.since("carol", "").At("next_batch")}
		ask := func(user string) (slicetest.Answer, storage.Stats) {
			before := w.DB.Stats()
			a := w.since(user, behind[user])
			return a, w.DB.Stats().Since(before)
		}
		for user, token := range behind {
			w.since(user, token)
		}
		w.busy()
		for user := range behind {
			_, cost := ask(user)
			require.Zero(t, cost.Reads, "%s: nothing has changed in a room of theirs", user)
		}

		w.send(rooms[3])
		w.send(one)
		inMany, many := ask("bob")
		inOne, few := ask("carol")
		require.Contains(t, inMany.Body, rooms[3])
		require.NotContains(t, inMany.Body, rooms[4])
		require.Contains(t, inOne.Body, one)
		require.Equal(t, few.Queries, many.Queries, "as for who is in one room")
		require.EqualValues(t, 1, many.Reads)

		token, err := feed.ParseToken(behind["bob"])
		require.NoError(t, err)
		looked := func() int {
			n, err := w.sync.LooksAt(context.Background(), slicetest.Caller("bob"), token.Pos, w.Feed.Stamp())
			require.NoError(t, err)
			return n
		}
		require.Equal(t, 1, looked())
		w.send(rooms[7])
		require.Equal(t, 2, looked())

		rooms = append(rooms, w.room("bob"))
		slicetest.OK(t, w.router, "POST", slicetest.Path("v3/rooms/{}/leave", rooms[0]), "bob", slicetest.O{})
		require.Equal(t, 4, looked(), "with the room that was joined, and the one that was left")
		a, _ := ask("bob")
		require.NotEmpty(t, a.At("rooms", "leave", rooms[0]))
		for _, i := range []int{3, 7, 12} {
			require.NotEmpty(t, a.At("rooms", "join", rooms[i]))
		}
		require.Empty(t, a.At("rooms", "join", rooms[4]))
	})
}
