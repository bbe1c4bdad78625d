// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func write(t *testing.T, db *storage.DB, fn func(ctx context.Context, w *storage.Writer) error) {
	t.Helper()
	require.NoError(t, db.Write(t.Context(), func(w *storage.Writer) error { return fn(t.Context(), w) }))
}

func read(t *testing.T, db *storage.DB, fn func(ctx context.Context, r *storage.Reader) error) {
	t.Helper()
	require.NoError(t, db.Read(t.Context(), func(r *storage.Reader) error { return fn(t.Context(), r) }))
}

func TestARoomCommitComparesTheVersion(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		room := &storage.Room{NID: 7, ID: "!a:test", RoomVersion: "12", Version: 1, CreatedAt: 5}
		write(t, db, func(ctx context.Context, w *storage.Writer) error { return w.InsertRoom(ctx, room) })
		err := db.Write(t.Context(), func(w *storage.Writer) error { return w.InsertRoom(t.Context(), &storage.Room{NID: 8, ID: room.ID}) })
		require.ErrorIs(t, err, storage.ErrExists)

		next := *room
		next.StateRoot, next.MaxDepth, next.Partial = "root", 3, true
		write(t, db, func(ctx context.Context, w *storage.Writer) error { return w.CommitRoom(ctx, &next) })
		err = db.Write(t.Context(), func(w *storage.Writer) error { return w.CommitRoom(t.Context(), &next) })
		require.ErrorIs(t, err, storage.ErrConflict, "the version has gone on")
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			return w.PutRoomPublic(ctx, 7, true)
		})

		next.Version, next.Public = 2, true
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			got, err := r.Room(ctx, "!a:test")
			require.NoError(t, err)
			require.Equal(t, &next, got)
			_, err = r.Room(ctx, "!b:test")
			require.ErrorIs(t, err, storage.ErrNotFound)
			rooms, err := r.RoomsByNID(ctx, []int64{7, 9})
			require.NoError(t, err)
			require.Equal(t, map[int64]*storage.Room{7: &next}, rooms)
			ids, err := r.RoomIDs(ctx, []int64{7, 9})
			require.NoError(t, err)
			require.Equal(t, map[int64]id.RoomID{7: "!a:test"}, ids)
			public, err := r.PublicRooms(ctx)
			require.Equal(t, []int64{7}, public)
			return err
		})
	})
}

func TestForwardAndBackwardExtremities(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			require.NoError(t, w.ReplaceForwardExtremities(ctx, 1, nil, 10))
			require.NoError(t, w.ReplaceForwardExtremities(ctx, 1, nil, 11))
			require.NoError(t, w.ReplaceForwardExtremities(ctx, 2, nil, 10))
			require.NoError(t, w.ReplaceForwardExtremities(ctx, 1, []int64{10, 11, 99}, 9))
			require.NoError(t, w.ReplaceForwardExtremities(ctx, 1, []int64{9}, 12))
			require.NoError(t, w.InsertEvent(ctx, event(1, 12, 5)))
			require.NoError(t, w.InsertBackwardExtremity(ctx, 1, "$missing", 12))
			require.NoError(t, w.InsertBackwardExtremity(ctx, 1, "$missing", 12))
			return w.InsertBackwardExtremity(ctx, 1, "$other", 12)
		})
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			got, err := w.ForwardExtremities(ctx, 1)
			require.NoError(t, err)
			require.Equal(t, []int64{12}, got)
			got, err = w.ForwardExtremities(ctx, 2)
			require.NoError(t, err)
			require.Equal(t, []int64{10}, got)
			followed, err := w.DeleteBackwardExtremity(ctx, 1, "$missing")
			require.NoError(t, err)
			require.True(t, followed)
			followed, err = w.DeleteBackwardExtremity(ctx, 1, "$missing")
			require.NoError(t, err)
			require.False(t, followed)
			followed, err = w.DeleteBackwardExtremity(ctx, 2, "$other")
			require.NoError(t, err)
			require.False(t, followed, "another room's")
			followed, err = w.DeleteBackwardExtremity(ctx, 1, "$other")
			require.True(t, followed)
			return err
		})
	})
}

func TestAliases(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		a := storage.Alias{Alias: "#a:test", RoomNID: 1, Creator: "@u:test", CreatedAt: 3}
		write(t, db, func(ctx context.Context, w *storage.Writer) error { return w.InsertAlias(ctx, a) })
		require.ErrorIs(t, db.Write(t.Context(), func(w *storage.Writer) error { return w.InsertAlias(t.Context(), a) }), storage.ErrExists)
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			got, err := w.Alias(ctx, "#a:test")
			require.NoError(t, err)
			require.Equal(t, &a, got)
			rooms, err := w.AliasRooms(ctx, []id.RoomAlias{"#a:test", "#none:test"})
			require.NoError(t, err)
			require.Equal(t, map[id.RoomAlias]int64{"#a:test": 1}, rooms)
			list, err := w.Aliases(ctx, 1)
			require.NoError(t, err)
			require.Equal(t, []id.RoomAlias{"#a:test"}, list)
			require.NoError(t, w.DeleteAlias(ctx, "#a:test"))
			require.ErrorIs(t, w.DeleteAlias(ctx, "#a:test"), storage.ErrNotFound)
			return nil
		})
	})
}

func event(roomNID, nid, depth int64) *storage.Event {
	return &storage.Event{
		NID: nid, ID: id.EventID(fmt.Sprintf("$e%d", nid)), RoomNID: roomNID, Type: "m.room.message", Sender: "@u:test",
		Depth: depth, OriginServerTS: 1000 + nid, AuthNIDs: []int64{1, 300, 1 << 40},
		PDU: []byte("{\"nul\":\"\x00\"}"), Client: []byte(`{}`), StateBefore: "b", StateAfter: "a",
	}
}

func TestAnEventComesBackAsItWas(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		key := "nul \x00 key"
		a, b := event(1, 1, 1), event(1, 2, 2)
		a.Type, a.StateKey, a.Pos = "m.\x00", &key, 9
		b.AuthNIDs, b.Redacts, b.Outlier, b.Partial, b.SoftFailed, b.Rejected, b.RedactedBy = nil, "$e1", true, true, true, false, 4
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			require.NoError(t, w.InsertEvent(ctx, a))
			return w.InsertEvent(ctx, b)
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			got, err := r.Event(ctx, "$e1")
			require.NoError(t, err)
			require.Equal(t, a, got)
			require.Equal(t, storage.TopoPos{Depth: 1, NID: 1}, got.TopoPos())
			_, err = r.Event(ctx, "$none")
			require.ErrorIs(t, err, storage.ErrNotFound)
			views, err := r.ViewsByNID(ctx, []int64{2, 1, 77})
			require.NoError(t, err)
			require.Len(t, views, 2)
			require.Equal(t, []byte(nil), views[0].PDU)
			list, err := r.EventsByNID(ctx, []int64{2, 1, 77})
			require.NoError(t, err)
			require.Equal(t, []*storage.Event{a, b}, list)
			list, err = r.EventsByID(ctx, []id.EventID{"$e2", "$none"})
			require.NoError(t, err)
			require.Equal(t, []*storage.Event{b}, list)
			ids, err := r.EventIDs(ctx, []int64{2, 77})
			require.Equal(t, map[int64]id.EventID{2: "$e2"}, ids)
			return err
		})
		err := db.Write(t.Context(), func(w *storage.Writer) error { return w.InsertEvent(t.Context(), a) })
		require.ErrorIs(t, err, storage.ErrExists)
	})
}

func TestVerdictsChange(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		e, redaction := event(1, 1, 7), event(1, 2, 8)
		e.Outlier, redaction.Redacts = true, e.ID
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			require.NoError(t, w.InsertEvent(ctx, e))
			return w.InsertEvent(ctx, redaction)
		})
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			still, err := w.PutOutlier(ctx, e)
			require.True(t, still)
			return err
		})
		e.Forked = true
		e.Outlier, e.Rejected, e.SoftFailed, e.Partial, e.StateBefore, e.StateAfter, e.Pos, e.Depth = false, false, false, true, "x", "y", 3, 6
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			require.NoError(t, w.PutVerdict(ctx, e))
			gone := *e
			gone.Outlier = true
			still, err := w.PutOutlier(ctx, &gone)
			require.NoError(t, err)
			require.False(t, still)
			return w.PutRedaction(ctx, e.NID, redaction.NID, []byte("redacted"))
		})
		e.RedactedBy, e.Client = redaction.NID, []byte("redacted")
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			got, err := r.Event(ctx, e.ID)
			require.NoError(t, err)
			require.Equal(t, e, got)
			return nil
		})
	})
}

func TestWhatReceivingAsks(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		first, second, redaction := event(1, 1, 7), event(1, 2, 8), event(1, 3, 9)
		second.StateKey, redaction.StateKey = new(string), new(string)
		second.AuthNIDs, redaction.AuthNIDs, redaction.Redacts = []int64{1}, []int64{1, 2}, first.ID
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for _, e := range []*storage.Event{first, second, redaction} {
				require.NoError(t, w.InsertEvent(ctx, e))
			}
			require.NoError(t, w.InsertWaitingRedaction(ctx, first.ID, redaction.NID))
			for nid := int64(1); nid <= 2; nid++ {
				require.NoError(t, w.InsertRoom(ctx, &storage.Room{NID: nid, ID: id.RoomID(fmt.Sprint("!r", nid))}))
			}
			require.NoError(t, w.CommitRoom(ctx, &storage.Room{NID: 2, OutOfOrder: true, ReevaluateFrom: 5}))
			require.NoError(t, w.InsertAuthEdge(ctx, 1, 2))
			require.NoError(t, w.InsertAuthEdge(ctx, 1, 3))
			require.NoError(t, w.InsertForwardExtremity(ctx, 1, 2))
			require.NoError(t, w.InsertForwardExtremity(ctx, 1, 3))
			return w.InsertBackwardExtremity(ctx, 1, "$gone", 2)
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			auth, err := r.AuthNIDs(ctx, []int64{1, 2, 3, 4})
			require.NoError(t, err)
			require.Equal(t, map[int64][]int64{1: first.AuthNIDs, 2: {1}, 3: {1, 2}}, auth)
			outOfOrder, err := r.OutOfOrderIn(ctx, []int64{1, 2, 3})
			require.NoError(t, err)
			require.Equal(t, []int64{2}, outOfOrder)
			rooms, err := r.RoomNIDs(ctx, []id.RoomID{"!r2", "!none"})
			require.NoError(t, err)
			require.Equal(t, map[id.RoomID]int64{"!r2": 2}, rooms)
			room, err := r.Room(ctx, "!r2")
			require.NoError(t, err)
			require.True(t, room.OutOfOrder)
			require.EqualValues(t, 5, room.ReevaluateFrom)
			entries, err := r.EventsAuthorisedBy(ctx, 1, 3, 10)
			require.NoError(t, err)
			require.Equal(t, []storage.StateEntry{{StateKey: storage.StateKey{Type: second.Type, Key: *second.StateKey}, NID: 2}}, entries)
			list, err := r.WaitingRedactions(ctx, first.ID)
			require.NoError(t, err)
			require.Equal(t, []*storage.Event{redaction}, list)
			nids, err := r.EventNIDsFrom(ctx, 1, 2)
			require.NoError(t, err)
			require.Equal(t, []int64{2, 3}, nids)
			for eventID, want := range map[id.EventID]bool{"$gone": true, first.ID: false} {
				followed, err := r.HasSuccessors(ctx, 1, eventID)
				require.NoError(t, err)
				require.Equal(t, want, followed)
			}
			return nil
		})
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			require.NoError(t, w.DeleteWaitingRedaction(ctx, first.ID, redaction.NID))
			return w.DeleteForwardExtremity(ctx, 1, 2)
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			list, err := r.WaitingRedactions(ctx, first.ID)
			require.NoError(t, err)
			require.Empty(t, list)
			tips, err := r.ForwardExtremities(ctx, 1)
			require.Equal(t, []int64{3}, tips)
			return err
		})
	})
}

func eventIDs(list []*storage.Event) (ids []id.EventID) {
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	return ids
}

func TestTwoOrdersOfEvents(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for _, e := range []struct {
				nid, depth, pos int64
				change          func(*storage.Event)
			}{
				{nid: 1, depth: 1, pos: 1},
				{nid: 2, depth: 3, pos: 2},
				{nid: 3, depth: 2, pos: 3}, // arrived late
				{nid: 4, depth: 3, pos: 4}, // a fork: as deep as 2
				{nid: 5, depth: 2},         // backfilled
				{nid: 6, depth: 4, change: func(e *storage.Event) { e.Outlier = true }},
				{nid: 7, depth: 4, pos: 5, change: func(e *storage.Event) { e.Rejected = true }},
				{nid: 8, depth: 4, pos: 6, change: func(e *storage.Event) { e.SoftFailed = true }},
				{nid: 9, depth: 5, pos: 7},
			} {
				row := event(1, e.nid, e.depth)
				row.Pos = e.pos
				if e.change != nil {
					e.change(row)
				}
				require.NoError(t, w.InsertEvent(ctx, row))
			}
			require.NoError(t, w.InsertRoom(ctx, &storage.Room{NID: 1, ID: "!1:t", OutOfOrder: true}))
			require.NoError(t, w.InsertRoom(ctx, &storage.Room{NID: 2, ID: "!2:t"}))
			for i, pos := range []int64{2, 4, 5} {
				row := event(2, 20+int64(i), 1+int64(i))
				row.Pos, row.SoftFailed = pos, pos == 5
				require.NoError(t, w.InsertEvent(ctx, row))
			}
			return nil
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			list, err := r.Timeline(ctx, 1, 1, 7, 3)
			require.NoError(t, err)
			require.Equal(t, []id.EventID{"$e9", "$e4", "$e3"}, eventIDs(list))
			list, err = r.PageBack(ctx, 1, storage.TopoPos{Depth: 5, NID: 9}, 6, 4)
			require.NoError(t, err)
			require.Equal(t, []id.EventID{"$e4", "$e2", "$e5", "$e3"}, eventIDs(list))
			list, err = r.PageBack(ctx, 1, list[3].TopoPos(), 6, 4)
			require.NoError(t, err)
			require.Equal(t, []id.EventID{"$e1"}, eventIDs(list))
			list, err = r.PageForward(ctx, 1, storage.TopoPos{Depth: 2, NID: 3}, 3, 10)
			require.NoError(t, err)
			require.Equal(t, []id.EventID{"$e5", "$e2"}, eventIDs(list), "nothing that arrived after position 3")
			place, err := r.TopoPosAt(ctx, 1, 3)
			require.NoError(t, err)
			require.Equal(t, storage.TopoPos{Depth: 3, NID: 2}, place)
			_, err = r.TopoPosAt(ctx, 1, 0)
			require.ErrorIs(t, err, storage.ErrNotFound)
			for pos, want := range map[int64]storage.TopoPos{3: {Depth: 1, NID: 20}, 9: {Depth: 2, NID: 21}} {
				place, err = r.TopoPosAt(ctx, 2, pos)
				require.NoError(t, err)
				require.Equal(t, want, place, "the newest event of a room in which all came in their order")
			}
			return nil
		})
	})
}

func TestMemberships(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		put := func(room int64, user id.UserID, membership string, local bool) {
			write(t, db, func(ctx context.Context, w *storage.Writer) error {
				return w.PutMembership(ctx, &storage.Membership{
					RoomNID: room, UserID: user, Membership: membership, EventNID: 1, Sender: user, Pos: 2, Local: local,
				})
			})
		}
		put(1, "@a:test", "invite", true)
		put(1, "@a:test", "join", true)
		put(1, "@b:test", "join", true)
		put(1, "@c:far", "join", false)
		put(2, "@a:test", "leave", true)
		put(3, "@a:test", "leave", true)
		put(3, "@b:test", "invite", true)
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for room := int64(1); room <= 3; room++ {
				require.NoError(t, w.InsertRoom(ctx, &storage.Room{NID: room, ID: id.RoomID(fmt.Sprintf("!%d:t", room))}))
			}
			require.NoError(t, w.InsertUser(ctx, &storage.User{ID: "@a:test", Kind: "user"}))
			require.NoError(t, w.InsertUser(ctx, &storage.User{ID: "@b:test", Kind: "guest"}))
			require.ErrorIs(t, w.ForgetRoom(ctx, 1, "@a:test"), storage.ErrNotFound, "who is in the room forgets nothing")
			return w.ForgetRoom(ctx, 3, "@a:test")
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			m, err := r.Membership(ctx, 1, "@a:test")
			require.NoError(t, err)
			require.Equal(t, &storage.Membership{RoomNID: 1, UserID: "@a:test", Membership: "join", EventNID: 1, Sender: "@a:test", Pos: 2, Local: true}, m)
			_, err = r.Membership(ctx, 9, "@a:test")
			require.ErrorIs(t, err, storage.ErrNotFound)
			list, err := r.MembershipsOf(ctx, "@a:test", "join", "leave")
			require.NoError(t, err)
			require.Len(t, list, 2)
			require.EqualValues(t, 1, list[0].RoomNID)
			require.EqualValues(t, 2, list[1].RoomNID)
			list, err = r.MembershipsIn(ctx, "@a:test", []int64{3, 9})
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.True(t, list[0].Forgotten)
			list, err = r.Members(ctx, 1, "join")
			require.NoError(t, err)
			require.Len(t, list, 3)
			require.Equal(t, id.UserID("@c:far"), list[2].UserID)
			for server, want := range map[id.ServerName]bool{"far": true, "test": true, "fa": false, "farther": false, "": false} {
				in, err := r.ServerJoined(ctx, 1, server)
				require.NoError(t, err)
				require.Equal(t, want, in, "server %q", server)
			}
			in, err := r.ServerJoined(ctx, 2, "test")
			require.NoError(t, err)
			require.False(t, in, "its only user has left")
			local, err := r.LocalMembers(ctx, 1, "join")
			require.NoError(t, err)
			require.Equal(t, []id.UserID{"@a:test", "@b:test"}, local)
			guests, err := r.LocalMembersOfKind(ctx, 1, "join", "guest")
			require.NoError(t, err)
			require.Equal(t, []id.UserID{"@b:test"}, guests)
			first, err := r.FirstMembersIn(ctx, []int64{1, 2, 3}, "@a:test", 1, "join", "invite")
			require.NoError(t, err)
			require.Equal(t, map[int64][]id.UserID{1: {"@b:test"}, 3: {"@b:test"}}, first)
			counts, err := r.CountMembers(ctx, []int64{1, 2, 3}, "join", "invite")
			require.Equal(t, map[int64]map[string]int64{1: {"join": 3}, 3: {"invite": 1}}, counts)
			return err
		})
	})
}

func TestUnreadIsTheDefaultAndTheExceptions(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for pos := int64(1); pos <= 4; pos++ {
				require.NoError(t, w.InsertUnread(ctx, storage.Unread{RoomNID: 1, ThreadNID: 9 * (pos / 4), Pos: pos}))
			}
			require.NoError(t, w.InsertUnreadException(ctx, storage.UnreadException{UserID: "@b:t", RoomNID: 1, Pos: 2, Notify: -1}))
			for _, m := range []storage.Membership{{UserID: "@b:t"}, {UserID: "@a:t", Pos: 1}, {UserID: "@c:t", Pos: 3}} {
				m.RoomNID, m.Membership = 1, "join"
				require.NoError(t, w.PutMembership(ctx, &m))
			}
			require.NoError(t, w.MarkRead(ctx, 1, "@a:t", 2))
			require.NoError(t, w.MarkRead(ctx, 1, "@a:t", 1))
			return w.InsertUnreadException(ctx, storage.UnreadException{UserID: "@b:t", RoomNID: 1, ThreadNID: 9, Pos: 4, Highlight: 1})
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			for user, want := range map[id.UserID]map[int64]storage.UnreadCount{
				"@b:t": {0: {Notify: 2}, 9: {Notify: 1, Highlight: 1}},
				"@a:t": {0: {Notify: 1}, 9: {Notify: 1}},
				"@c:t": {9: {Notify: 1}},
				"@d:t": nil,
			} {
				got, err := r.UnreadIn(ctx, user, []int64{1, 2}, 4)
				require.NoError(t, err)
				require.Equal(t, want, got[1])
				require.Empty(t, got[2])
				until, err := r.UnreadIn(ctx, user, []int64{1}, 3)
				require.NoError(t, err)
				require.Zero(t, until[1][9], "a thread counts up to the position asked about")
			}
			return nil
		})
	})
}

func TestTransactionIDs(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		k := storage.TxnKey{UserID: "@a:t", DeviceID: "D", Operation: "send !a:t m.room.message", TxnID: "1\x00"}
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			_, err := w.Txn(ctx, k)
			require.ErrorIs(t, err, storage.ErrNotFound)
			return w.ClaimTxn(ctx, k, storage.TxnResult{EventNID: 5, Answer: []byte("{}")}, 1000)
		})
		for _, more := range []bool{false, true} { // before another statement, and before the commit
			require.ErrorIs(t, db.Write(t.Context(), func(w *storage.Writer) error {
				err := w.ClaimTxn(t.Context(), k, storage.TxnResult{}, 1000)
				if more && err == nil {
					_, err = w.Txn(t.Context(), k)
					require.Error(t, err)
				}
				return err
			}), storage.ErrExists)
		}
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			res, err := w.Txn(ctx, k)
			require.NoError(t, err)
			require.Equal(t, storage.TxnResult{EventNID: 5, Answer: []byte("{}")}, res)
			ids, err := w.TxnIDs(ctx, "@a:t", "D", []int64{4, 5, 0})
			require.NoError(t, err)
			require.Equal(t, map[int64]string{5: "1\x00"}, ids)
			n, err := w.DeleteTxns(ctx, 1001, 10)
			require.EqualValues(t, 1, n)
			return err
		})
	})
}

func TestTimelinesAndRootsOfSeveralRooms(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for room := int64(1); room <= 3; room++ {
				require.NoError(t, w.InsertRoom(ctx, &storage.Room{NID: room, ID: id.RoomID(fmt.Sprintf("!%d:t", room))}))
				for pos := room; pos <= 9; pos += 3 {
					require.NoError(t, w.InsertEvent(ctx, &storage.Event{
						NID: pos, ID: id.EventID(fmt.Sprintf("$%d", pos)), RoomNID: room, Pos: pos, SoftFailed: pos == 7,
						PDU: []byte("{}"), Client: []byte("{}"),
					}))
					require.NoError(t, w.PutRoomState(ctx, room, pos, fmt.Sprint("root", pos), false))
				}
			}
			return nil
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			got, err := r.Timelines(ctx, []int64{1, 2, 3, 4}, 1, 8, 2)
			require.NoError(t, err)
			numbers := map[int64][]int64{}
			for room, events := range got {
				for _, e := range events {
					numbers[room] = append(numbers[room], e.NID)
				}
			}
			require.Equal(t, map[int64][]int64{1: {4}, 2: {8, 5}, 3: {6, 3}}, numbers)
			some, err := r.TimelineByNID(ctx, []int64{7, 8, 10})
			require.NoError(t, err)
			require.Len(t, some, 1)
			require.EqualValues(t, 8, some[0].NID)
			roots, err := r.RoomRootsAt(ctx, []int64{1, 2, 3, 4}, 2)
			require.NoError(t, err)
			require.Equal(t, map[int64]storage.RoomRoot{1: {Since: 1, Root: "root1"}, 2: {Since: 2, Root: "root2"}}, roots)
			return nil
		})
	})
}

// TestNobodyForgetsARoomOnComingBack: between the look at a membership and the
// write another process may have let the user in again.
func TestNobodyForgetsARoomOnComingBack(t *testing.T) {
	db := storagetest.OpenURL(t, storagetest.PostgresURL(t))
	put := func(membership string) error {
		return db.Write(t.Context(), func(w *storage.Writer) error {
			return w.PutMembership(t.Context(), &storage.Membership{RoomNID: 1, UserID: "@a:test", Membership: membership})
		})
	}
	require.NoError(t, put("leave"))
	err := db.Write(t.Context(), func(w *storage.Writer) error {
		m, err := w.Membership(t.Context(), 1, "@a:test")
		require.NoError(t, err)
		require.Equal(t, "leave", m.Membership)
		var other sync.WaitGroup
		other.Go(func() {
			if err := put("join"); err != nil {
				t.Error(err)
			}
		})
		other.Wait()
		return w.ForgetRoom(t.Context(), 1, "@a:test")
	})
	require.ErrorIs(t, err, storage.ErrNotFound)
}
