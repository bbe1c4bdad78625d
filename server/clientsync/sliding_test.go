// SPDX-License-Identifier: Apache-2.0

package clientsync_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
	"touchstone.example/tests/slicetest"
)

// A list is a second consumer of the parts: one list of simplified sliding sync
// with the extensions account data and receipts. A room that comes into the list
// is new to the client, so that each room has a position of its own.
type list struct {
	w     *fixture
	user  id.UserID
	pos   int64           // of the last answer
	rooms map[int64]int64 // the rooms of the list, with the position that each was told up to
}

// extensions are what an answer has besides the rooms.
type extensions struct {
	AccountData     map[string]string            // by type
	RoomAccountData map[int64]map[string]string  // by room and type
	Receipts        map[int64][]syncpart.Receipt // by room
}

// next answers for the newest rooms, so many of them.
func (l *list) next(length int) *extensions {
	t, upTo := l.w.t, l.w.Feed.Stamp()
	var news *syncpart.News
	require.NoError(t, l.w.DB.Read(t.Context(), func(tx *storage.Reader) error {
		joined, err := tx.MembershipsOf(t.Context(), l.user, "join")
		if err != nil {
			return err
		}
		slices.Reverse(joined)
		w := &syncpart.Window{User: l.user, Since: l.pos, ToDevice: l.pos, UpTo: upTo, Now: l.w.Env.NowTS()}
		for _, m := range joined[:min(length, len(joined))] {
			w.Rooms = append(w.Rooms, syncpart.Room{NID: m.RoomNID, Since: l.rooms[m.RoomNID]})
			l.rooms[m.RoomNID] = upTo
		}
		news, err = syncpart.Read(t.Context(), l.w.Feed, tx, l.w.parts, w)
		return err
	}))
	l.pos = upTo
	out := &extensions{map[string]string{}, map[int64]map[string]string{}, map[int64][]syncpart.Receipt{}}
	for _, d := range news.AccountData {
		out.AccountData[d.Type] = string(d.Content)
	}
	for nid := range l.rooms { // what the list does not show is dropped
		for _, d := range news.RoomAccountData[nid] {
			if out.RoomAccountData[nid] == nil {
				out.RoomAccountData[nid] = map[string]string{}
			}
			out.RoomAccountData[nid][d.Type] = string(d.Content)
		}
		if r := news.Receipts[nid]; r != nil {
			out.Receipts[nid] = r
		}
	}
	return out
}

// TestASecondConsumerOfTheParts: a contract with one user proves nothing.
func TestASecondConsumerOfTheParts(t *testing.T) {
	reads := 0
	each(t, func(t *testing.T, w *fixture) {
		early, late := w.room("bob"), w.room("bob")
		old, new := w.nid(early), w.nid(late)
		inOld, inNew := w.send(early), w.send(late)
		w.setData("bob", old, "m.tag", `{"old":1}`)
		w.setData("bob", new, "m.tag", `{"new":1}`)
		w.read(kindReceipt, "alice", old, inOld)
		w.read(kindPrivateReceipt, "alice", new, inNew)
		l := &list{w: w, user: slicetest.User("bob"), rooms: map[int64]int64{}}

		a := l.next(1)
		require.Contains(t, a.AccountData, "m.push_rules")
		require.Equal(t, map[int64]map[string]string{new: {"m.tag": `{"new":1}`}}, a.RoomAccountData, "the list shows one room")
		require.Empty(t, a.Receipts, "alice's is private")

		w.setData("bob", 0, "org.x", `{}`)
		w.read(kindReceipt, "alice", new, inNew)
		a = l.next(1)
		require.Equal(t, map[string]string{"org.x": `{}`}, a.AccountData)
		require.Empty(t, a.RoomAccountData)
		require.Len(t, a.Receipts[new], 1)

		a = l.next(2) // the list gets longer: the other room is told whole
		require.Empty(t, a.AccountData)
		require.Equal(t, map[int64]map[string]string{old: {"m.tag": `{"old":1}`}}, a.RoomAccountData)
		require.Equal(t, inOld, string(a.Receipts[old][0].Event))
		require.Empty(t, a.Receipts[new])

		before, cost := reads, w.DB.Stats()
		a = l.next(2)
		require.Empty(t, a.AccountData)
		require.Empty(t, a.RoomAccountData)
		require.Empty(t, a.Receipts)
		require.Equal(t, before, reads, "no part is asked that has no news")
		require.EqualValues(t, 1, w.DB.Stats().Since(cost).Queries, "the memberships")
	}, receipts{&reads})
}
