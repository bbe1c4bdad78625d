// SPDX-License-Identifier: Apache-2.0

package push_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/push"
	"touchstone.example/server/pushrules"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// BenchmarkSend measures what a message costs in a room of 1,000 members, by how
// many of them have rules of their own: five, of which one is about words.
//
//	go test ./server/push -run xxx -bench Send
func BenchmarkSend(b *testing.B) {
	dbs := map[string]func(b *testing.B) *storage.DB{
		"sqlite":   func(b *testing.B) *storage.DB { return storagetest.Open(b) },
		"postgres": func(b *testing.B) *storage.DB { return storagetest.OpenURL(b, storagetest.PostgresURL(b)) },
	}
	for engine, open := range dbs {
		for _, ruled := range []int{0, 10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", engine, ruled), func(b *testing.B) {
				h := newFixture(b, open(b), push.Deps{})
				room := h.room()
				h.members(room, 1000, ruled)
				n := 0
				for b.Loop() {
					n++
					h.ok("PUT", slicetest.Path("v3/rooms/{}/send/m.room.message/{}", room, fmt.Sprint("b", n)), "alice", text("A message of some words"))
				}
			})
		}
	}
}

// members puts users into a room, some of them with rules of their own.
func (h *fixture) members(room id.RoomID, n, ruled int) {
	h.t.Helper()
	ctx := h.t.Context()
	set := pushrules.Standard.Defaults("@somebody:hs1")
	require.NoError(h.t, set.Put(pushrules.Room, "!other:hs1", []byte(`{"actions":[]}`), "", ""))
	require.NoError(h.t, set.Put(pushrules.Sender, "@other:hs1", []byte(`{"actions":[]}`), "", ""))
	require.NoError(h.t, set.Put(pushrules.Content, "word", []byte(`{"actions":["notify"],"pattern":"w*d"}`), "", ""))
	require.NoError(h.t, set.Put(pushrules.Override, "topic", []byte(`{"actions":["notify"],"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.topic"}]}`), "", ""))
	require.NoError(h.t, set.SetEnabled(pushrules.Override, ".m.rule.tombstone", false))
	rules := set.AppendChanges(nil)
	require.NoError(h.t, h.DB.Write(ctx, func(tx *storage.Writer) error {
		row, err := tx.Room(ctx, room)
		if err != nil {
			return err
		}
		for i := range n {
			user := id.UserID(fmt.Sprintf("@member%d:hs1", i))
			if err := tx.InsertUser(ctx, &storage.User{ID: user, Kind: "user"}); err != nil {
				return err
			}
			if i < ruled {
				if err := tx.PutPushRules(ctx, user, storage.PushRules{Rules: rules, Pos: 1}); err != nil {
					return err
				}
				if err := tx.ChangeRules(ctx, user); err != nil {
					return err
				}
			}
			m := &storage.Membership{RoomNID: row.NID, UserID: user, Membership: "join", Sender: user, Pos: 1, Local: true}
			if err := tx.PutMembership(ctx, m); err != nil {
				return err
			}
		}
		return nil
	}))
}
