// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

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
