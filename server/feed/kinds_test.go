// SPDX-License-Identifier: Apache-2.0

package feed_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/feed"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// The kind of a row decides whom it wakes: receipts are of a test here.
var kindReceipt = feed.NewKind("test.receipt", feed.TopicEphemeral, feed.TopicReads)

func TestAKindChangesItsTopicsAlone(t *testing.T) {
	const alice, bob = "@alice:test", "@bob:test"
	all := []feed.Kind{feed.KindEvent, feed.KindAccess, feed.KindAccountData, kindReceipt}
	keys := feed.KeysOf(all, alice, []int64{7})
	keys = append(keys, feed.KeysOf(all, bob, []int64{8})...)
	names := []string{
		"room 7", "ephemeral 7", "memberships", "access", "own data", "reads",
		"room 8", "ephemeral 8", "bob's memberships", "bob's access", "bob's own data", "bob's reads",
	}
	require.Len(t, keys, len(names))
	for _, row := range []struct {
		kind feed.Kind
		room int64
		user string
		want []string
	}{
		{feed.KindEvent, 7, "", []string{"room 7"}},
		{feed.KindEvent, 7, alice, []string{"room 7", "memberships"}},
		{feed.KindEvent, 7, bob, []string{"room 7", "bob's memberships"}},
		{feed.KindState, 8, alice, []string{"memberships", "room 8"}},
		{feed.KindAccess, 0, alice, []string{"access"}},
		{feed.KindAccountData, 0, alice, []string{"own data"}},
		{feed.KindAccountData, 7, alice, []string{"own data"}}, // which is no news for the room's members
		{kindReceipt, 7, alice, []string{"ephemeral 7", "reads"}},
		{"of another version", 7, bob, []string{
			"room 7", "ephemeral 7", "bob's memberships", "bob's access", "bob's own data", "bob's reads",
		}},
	} {
		t.Run(string(row.kind), func(t *testing.T) {
			storagetest.Each(t, func(t *testing.T, db *storage.DB) {
				f := open(t, db, feed.Options{Shared: db.Engine() == "postgres"})
				since := f.Stamp()
				c := storage.Change{Kind: string(row.kind), RoomNID: row.room, UserID: row.user}
				require.NoError(t, db.Write(t.Context(), func(w *storage.Writer) (err error) {
					if c.Pos, err = w.ReservePosition(t.Context()); err != nil {
						return err
					}
					return w.InsertChange(t.Context(), c)
				}))
				require.NoError(t, f.WaitFor(t.Context(), c.Pos))
				var changed []string
				for i, k := range keys {
					if f.Changed(since, k) {
						changed = append(changed, names[i])
					}
				}
				require.Equal(t, row.want, changed)
			})
		})
	}
}

func TestKeysAreThoseOfTheKinds(t *testing.T) {
	require.Equal(t, []feed.Key{feed.Room(1), feed.Room(2), feed.Memberships("@a:test")},
		feed.KeysOf([]feed.Kind{feed.KindEvent, feed.KindState}, "@a:test", []int64{1, 2}))
	require.Equal(t, []feed.Key{feed.Access("@a:test")}, feed.KeysOf([]feed.Kind{feed.KindAccess}, "@a:test", []int64{1}))
	require.Empty(t, feed.KeysOf(nil, "@a:test", []int64{1}))
	require.Panics(t, func() { feed.NewKind("event", feed.TopicRoom) }, "a kind has one owner")
}
