// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// TestAMembershipBesideAChangeOfRules has the version of the change, whichever of
// them begins first.
func TestAMembershipBesideAChangeOfRules(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		const user = "@bob:test"
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			return w.InsertUser(ctx, &storage.User{ID: user, Kind: "user"})
		})
		change := func(w *storage.Writer) error { return w.ChangeRules(ctx, user) }
		for room, first := range []bool{true, false} {
			nid := int64(room + 1)
			join := func(w *storage.Writer) error {
				return w.PutMembership(ctx, &storage.Membership{RoomNID: nid, UserID: user, Membership: "join", Sender: user, Local: true})
			}
			one, two := change, join
			if first {
				one, two = join, change
			}
			var other sync.WaitGroup
			require.NoError(t, db.Write(ctx, func(w *storage.Writer) error {
				if err := one(w); err != nil {
					return err
				}
				if _, err := w.User(ctx, user); err != nil { // by now it is done
					return err
				}
				other.Go(func() {
					if err := db.Write(ctx, two); err != nil {
						t.Error(err)
					}
				})
				for range 200 { // in which the other one could be done, too
					if _, err := w.User(ctx, user); err != nil {
						return err
					}
				}
				return nil
			}))
			other.Wait()
			require.NoError(t, db.Read(ctx, func(r *storage.Reader) error {
				list, joined, err := r.MembersWithRules(ctx, nid, 3)
				require.Equal(t, 1, joined)
				require.Equal(t, []storage.MemberRules{{UserID: user, Membership: "join", Version: nid}}, list)
				return err
			}))
		}
	})
}

func TestOwnRules(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		type row struct {
			Version int64
			storage.OwnRules
		}
		rules, ignored := []byte(`{"rules":1}`), []byte(`{"ignored_users":{}}`)
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for _, user := range []id.UserID{"@both:t", "@ignores:t", "@default:t", "@rules:t"} {
				require.NoError(t, w.InsertUser(ctx, &storage.User{ID: user, Kind: "user"}))
			}
			for _, user := range []id.UserID{"@both:t", "@rules:t", "@deleted:t"} {
				require.NoError(t, w.ChangeRules(ctx, user))
				require.NoError(t, w.PutPushRules(ctx, user, storage.PushRules{Rules: []byte(`{}`), Pos: 3}))
				require.NoError(t, w.PutPushRules(ctx, user, storage.PushRules{Rules: rules, Pos: 4}))
			}
			for _, d := range []storage.AccountData{
				{UserID: "@both:t", Type: "m.ignored_user_list", Content: ignored},
				{UserID: "@ignores:t", Type: "m.ignored_user_list", Content: ignored},
				{UserID: "@default:t", Type: "m.ignored_user_list", RoomNID: 7, Content: ignored}, // means nothing
				{UserID: "@default:t", Type: "m.direct", Content: ignored},
			} {
				require.NoError(t, w.PutAccountData(ctx, &d))
			}
			return nil
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			own := func(users ...id.UserID) map[id.UserID]row {
				got := map[id.UserID]row{}
				require.NoError(t, r.OwnRules(ctx, users, func(user id.UserID, version int64, own storage.OwnRules) {
					require.NotContains(t, got, user)
					got[user] = row{version, own}
				}))
				return got
			}
			require.Equal(t, map[id.UserID]row{
				"@both:t":    {2, storage.OwnRules{PushRules: rules, Ignored: ignored}},
				"@ignores:t": {1, storage.OwnRules{Ignored: ignored}},
				"@default:t": {},
			}, own("@ignores:t", "@both:t", "@deleted:t", "@both:t", "@default:t"), "of users who have an account")
			require.Equal(t, map[id.UserID]row{"@rules:t": {1, storage.OwnRules{PushRules: rules}}}, own("@rules:t"))

			p, err := r.PushRules(ctx, "@rules:t")
			require.NoError(t, err)
			require.Equal(t, storage.PushRules{Rules: rules, Pos: 4}, p)
			_, err = r.PushRules(ctx, "@ignores:t")
			require.ErrorIs(t, err, storage.ErrNotFound)
			return nil
		})
	})
}
