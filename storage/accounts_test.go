// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func TestUsers(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		u := &storage.User{ID: "@a:t", Kind: "user", PasswordHash: "h", CreatedAt: 4}
		write(t, db, func(ctx context.Context, w *storage.Writer) error { return w.InsertUser(ctx, u) })
		require.ErrorIs(t, db.Write(t.Context(), func(w *storage.Writer) error { return w.InsertUser(t.Context(), u) }), storage.ErrExists)
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			got, err := w.User(ctx, "@a:t")
			require.NoError(t, err)
			require.Equal(t, u, got)
			got, err = w.LockUser(ctx, "@a:t")
			require.NoError(t, err)
			require.Equal(t, u, got)
			_, err = w.LockUser(ctx, "@b:t")
			require.ErrorIs(t, err, storage.ErrNotFound)
			require.NoError(t, w.PutPassword(ctx, "@a:t", "h2"))
			require.NoError(t, w.PutUserFlags(ctx, "@a:t", true, true, true))
			got, err = w.User(ctx, "@a:t")
			require.NoError(t, err)
			require.Equal(t, "h2", got.PasswordHash)
			require.True(t, got.Admin && got.Locked && got.Suspended)
			require.NoError(t, w.DeactivateUser(ctx, "@a:t", 9, true))
			got, err = w.User(ctx, "@a:t")
			require.NoError(t, err)
			require.EqualValues(t, 9, got.DeactivatedAt)
			require.Empty(t, got.PasswordHash)
			require.True(t, got.Erased)
			require.ErrorIs(t, w.PutPassword(ctx, "@b:t", "h"), storage.ErrNotFound)
			require.ErrorIs(t, w.UpgradeGuest(ctx, "@a:t", "user", "h"), storage.ErrNotFound, "no guest")
			require.NoError(t, w.InsertUser(ctx, &storage.User{ID: "@g:t", Kind: "guest"}))
			require.NoError(t, w.UpgradeGuest(ctx, "@g:t", "user", "h3"))
			got, err = w.User(ctx, "@g:t")
			require.NoError(t, err)
			require.Equal(t, &storage.User{ID: "@g:t", Kind: "user", PasswordHash: "h3"}, got)
			return nil
		})
	})
}

func TestUsersAndDevicesOfSeveral(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for _, user := range []id.UserID{"@c:t", "@b:t", "@a:t"} {
				require.NoError(t, w.InsertUser(ctx, &storage.User{ID: user, Kind: "user"}))
			}
			for _, d := range []storage.Device{
				{UserID: "@b:t", ID: "F"}, {UserID: "@a:t", ID: "E"}, {UserID: "@a:t", ID: "D\x00"}, {UserID: "@other:t", ID: "D\x00"},
			} {
				require.NoError(t, w.PutDevice(ctx, &d))
			}
			users, err := w.UsersAmong(ctx, []id.UserID{"@c:t", "@nobody:t", "@a:t", "@c:t", "@other:t"})
			require.NoError(t, err)
			require.Equal(t, []id.UserID{"@a:t", "@c:t"}, users, "those with an account, each once")
			users, err = w.UsersAmong(ctx, nil)
			require.NoError(t, err)
			require.Empty(t, users)
			devices, err := w.DevicesOf(ctx, []id.UserID{"@b:t", "@a:t", "@c:t", "@a:t"})
			require.Equal(t, map[id.UserID][]id.DeviceID{"@a:t": {"D\x00", "E"}, "@b:t": {"F"}}, devices)
			return err
		})
	})
}

func TestDevicesAndTheirTokens(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		access := &storage.AccessToken{Hash: "a1", UserID: "@a:t", DeviceID: "D\x00", ClientID: "c", Scopes: "s", Refresh: "r1", CreatedAt: 1, ExpiresAt: 2}
		refresh := &storage.RefreshToken{Hash: "r1", UserID: "@a:t", DeviceID: "D\x00", ClientID: "c", Scopes: "s", CreatedAt: 1, ExpiresAt: 3}
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for _, d := range []id.DeviceID{"D\x00", "E", "F"} {
				require.NoError(t, w.PutDevice(ctx, &storage.Device{UserID: "@a:t", ID: d, DisplayName: "n\x00", CreatedAt: 1, SeenAt: 1}))
			}
			require.NoError(t, w.PutDevice(ctx, &storage.Device{UserID: "@a:t", ID: "E", DisplayName: "other", CreatedAt: 7, SeenAt: 8, SeenIP: "ip", SeenAgent: "x"}))
			require.NoError(t, w.RenameDevice(ctx, "@a:t", "F", "eff"))
			require.ErrorIs(t, w.RenameDevice(ctx, "@a:t", "G", "gee"), storage.ErrNotFound)
			require.NoError(t, w.InsertAccessToken(ctx, access))
			require.NoError(t, w.InsertAccessToken(ctx, &storage.AccessToken{Hash: "a2", UserID: "@a:t", DeviceID: "E"}))
			require.NoError(t, w.TouchAccessToken(ctx, "a1", 5))
			require.NoError(t, w.TouchDevice(ctx, &storage.Device{UserID: "@a:t", ID: "F", SeenAt: 9, SeenIP: "ip2", SeenAgent: "y\x00"}))
			require.NoError(t, w.TouchDevice(ctx, &storage.Device{UserID: "@a:t", ID: "G", SeenAt: 9}))
			for _, d := range []id.DeviceID{"D\x00", "E", "F"} {
				k := storage.TxnKey{UserID: "@a:t", DeviceID: d, Operation: "op", TxnID: "1"}
				require.NoError(t, w.ClaimTxn(ctx, k, storage.TxnResult{}, 1))
			}
			require.NoError(t, w.InsertRefreshToken(ctx, refresh))
			return w.PutSuccessor(ctx, "r1", "r2")
		})
		access.UsedAt, refresh.Successor = 5, "r2"
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			got, err := r.AccessToken(ctx, "a1")
			require.NoError(t, err)
			require.Equal(t, access, got)
			gotRefresh, err := r.RefreshToken(ctx, "r1")
			require.NoError(t, err)
			require.Equal(t, refresh, gotRefresh)
			list, err := r.Devices(ctx, "@a:t")
			require.NoError(t, err)
			require.Equal(t, []*storage.Device{
				{UserID: "@a:t", ID: "D\x00", DisplayName: "n\x00", CreatedAt: 1, SeenAt: 1},
				{UserID: "@a:t", ID: "E", DisplayName: "n\x00", CreatedAt: 1, SeenAt: 8, SeenIP: "ip", SeenAgent: "x"},
				{UserID: "@a:t", ID: "F", DisplayName: "eff", CreatedAt: 1, SeenAt: 9, SeenIP: "ip2", SeenAgent: "y\x00"},
			}, list)
			d, err := r.Device(ctx, "@a:t", "D\x00")
			require.Equal(t, list[0], d)
			return err
		})
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			require.NoError(t, w.DeletePredecessors(ctx, "r2"))
			_, err := w.RefreshToken(ctx, "r1")
			require.ErrorIs(t, err, storage.ErrNotFound)
			require.NoError(t, w.InsertRefreshToken(ctx, refresh))
			require.NoError(t, w.DeleteDevices(ctx, "@a:t", []id.DeviceID{"D\x00", "none"}))
			_, err = w.AccessToken(ctx, "a1")
			require.ErrorIs(t, err, storage.ErrNotFound)
			_, err = w.RefreshToken(ctx, "r1")
			require.ErrorIs(t, err, storage.ErrNotFound)
			_, err = w.Device(ctx, "@a:t", "D\x00")
			require.ErrorIs(t, err, storage.ErrNotFound)
			next, err := w.TxnDevice(ctx, "@a:t", "")
			require.NoError(t, err)
			require.Equal(t, id.DeviceID("D\x00"), next)
			next, err = w.TxnDevice(ctx, "@a:t", next)
			require.NoError(t, err)
			require.Equal(t, id.DeviceID("E"), next)
			_, err = w.TxnDevice(ctx, "@a:t", "F")
			require.ErrorIs(t, err, storage.ErrNotFound)
			for _, device := range []id.DeviceID{"D\x00", "E"} { // E exists
				_, err = w.DeleteTxnsOf(ctx, "@a:t", device, 10)
				require.NoError(t, err)
			}
			requireTxns(ctx, t, w, "E", "F")
			require.NoError(t, w.InsertAccessToken(ctx, access))
			require.NoError(t, w.InsertRefreshToken(ctx, refresh))
			require.NoError(t, w.DeleteDeviceAccess(ctx, "@a:t", "D\x00"))
			_, err = w.AccessToken(ctx, "a1")
			require.ErrorIs(t, err, storage.ErrNotFound)
			_, err = w.RefreshToken(ctx, "r1")
			require.ErrorIs(t, err, storage.ErrNotFound)
			require.NoError(t, w.InsertAccessToken(ctx, access))
			require.NoError(t, w.DeleteOtherAccess(ctx, "@a:t", "a2", "E"))
			_, err = w.AccessToken(ctx, "a1")
			require.ErrorIs(t, err, storage.ErrNotFound)
			list, err := w.Devices(ctx, "@a:t")
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.NoError(t, w.DeleteAccessToken(ctx, "a2"))
			require.ErrorIs(t, w.DeleteAccessToken(ctx, "a2"), storage.ErrNotFound)
			return nil
		})
	})
}

// requireTxns checks which devices of @a:t have used the transaction id 1.
func requireTxns(ctx context.Context, t *testing.T, w *storage.Writer, want ...id.DeviceID) {
	t.Helper()
	var got []id.DeviceID
	for _, d := range []id.DeviceID{"D\x00", "E", "F"} {
		_, err := w.Txn(ctx, storage.TxnKey{UserID: "@a:t", DeviceID: d, Operation: "op", TxnID: "1"})
		if err == nil {
			got = append(got, d)
		} else {
			require.ErrorIs(t, err, storage.ErrNotFound)
		}
	}
	require.Equal(t, want, got)
}

func TestProfiles(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			require.NoError(t, w.PutProfileField(ctx, "@a:t", storage.ProfileField{Name: "displayname", Value: []byte(`"A"`)}))
			require.NoError(t, w.PutProfileField(ctx, "@a:t", storage.ProfileField{Name: "displayname", Value: []byte(`"B"`)}))
			require.NoError(t, w.PutProfileField(ctx, "@a:t", storage.ProfileField{Name: "avatar_url", Value: []byte(`""`)}))
			require.NoError(t, w.PutProfileField(ctx, "@b:t", storage.ProfileField{Name: "x\x00", Value: []byte(`1`)}))
			a := []storage.ProfileField{{Name: "avatar_url", Value: []byte(`""`)}, {Name: "displayname", Value: []byte(`"B"`)}}
			fields, err := w.Profile(ctx, "@a:t")
			require.NoError(t, err)
			require.Equal(t, a, fields)
			fields, err = w.Profile(ctx, "@b:t")
			require.NoError(t, err)
			require.Equal(t, []storage.ProfileField{{Name: "x\x00", Value: []byte(`1`)}}, fields)
			fields, err = w.Profile(ctx, "@c:t")
			require.NoError(t, err)
			require.Empty(t, fields)
			require.NoError(t, w.DeleteProfileField(ctx, "@a:t", "displayname"))
			fields, err = w.Profile(ctx, "@a:t")
			require.Equal(t, a[:1], fields)
			return err
		})
	})
}

func TestAccountDataFiltersAndUIAuth(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			d := &storage.AccountData{UserID: "@a:t", RoomNID: 3, Type: "t\x00", Content: []byte(`{}`), Pos: 4}
			require.NoError(t, w.PutAccountData(ctx, &storage.AccountData{UserID: "@a:t", RoomNID: 3, Type: "t\x00", Content: []byte(`1`), Pos: 1}))
			require.NoError(t, w.PutAccountData(ctx, d))
			require.NoError(t, w.PutAccountData(ctx, &storage.AccountData{UserID: "@a:t", Type: "gone", Pos: 2}))
			got, err := w.AccountData(ctx, "@a:t", 3, "t\x00")
			require.NoError(t, err)
			require.Equal(t, d, got)
			list, err := w.AccountDataSince(ctx, "@a:t", 1, 4)
			require.NoError(t, err)
			require.Len(t, list, 2)
			require.Equal(t, "gone", list[0].Type)
			require.Empty(t, list[0].Content)
			list, err = w.AccountDataSince(ctx, "@a:t", 2, 3)
			require.NoError(t, err)
			require.Empty(t, list)

			first, err := w.InsertFilter(ctx, "@a:t", "h1", []byte(`{"a":1}`))
			require.NoError(t, err)
			second, err := w.InsertFilter(ctx, "@a:t", "h2", []byte(`{"a":2}`))
			require.NoError(t, err)
			again, err := w.InsertFilter(ctx, "@a:t", "h1", []byte(`{"a":1}`))
			require.NoError(t, err)
			require.Equal(t, first, again)
			require.NotEqual(t, first, second)
			filter, err := w.Filter(ctx, "@a:t", second)
			require.NoError(t, err)
			require.Equal(t, `{"a":2}`, string(filter))

			s := &storage.UIAuthSession{ID: "s", Operation: "register", Request: []byte{}, CreatedAt: 10}
			require.NoError(t, w.InsertUIAuthSession(ctx, s))
			s.Completed, s.UserID, s.Result = "m.login.dummy", "@a:t", "done"
			require.NoError(t, w.PutUIAuthSession(ctx, s))
			gotSession, err := w.UIAuthSession(ctx, "s")
			require.NoError(t, err)
			locked, err := w.LockUIAuthSession(ctx, "s")
			require.NoError(t, err)
			require.Equal(t, gotSession, locked)
			s.Request = gotSession.Request // nil or empty
			require.Empty(t, s.Request)
			require.Equal(t, s, gotSession)
			n, err := w.DeleteUIAuthSessions(ctx, 10, 10)
			require.NoError(t, err)
			require.Zero(t, n)
			n, err = w.DeleteUIAuthSessions(ctx, 11, 20)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			require.NoError(t, w.InsertUIAuthSession(ctx, s))
			n, err = w.DeleteUIAuthSessions(ctx, 0, 9)
			require.EqualValues(t, 1, n, "of a clock that was ahead")
			return err
		})
	})
}

func TestOnlySoManyUIAuthSessionsAreKept(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			add := func(user id.UserID, from, to int) {
				for n := from; n < to; n++ {
					s := &storage.UIAuthSession{ID: fmt.Sprint(user, n), UserID: user, Request: []byte{1}, CreatedAt: int64(n)}
					require.NoError(t, w.InsertUIAuthSession(ctx, s))
				}
			}
			add("", 0, 2)
			add("@a:t", 2, 7)
			require.NoError(t, w.TrimUIAuthSessions(ctx, "", 3))
			require.NoError(t, w.TrimUIAuthSessions(ctx, "@a:t", 3))
			for name, kept := range map[string]bool{"0": true, "1": true, "@a:t3": false, "@a:t4": true, "@a:t6": true} {
				_, err := w.UIAuthSession(ctx, name)
				require.Equal(t, kept, err == nil, name)
			}
			return nil
		})
	})
}

func TestFailures(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			add := func(subject string, now, want int64) {
				at, err := w.AddFailure(ctx, subject, now, 10, now+100)
				require.NoError(t, err)
				require.Equal(t, want, at)
			}
			_, err := w.Failures(ctx, "a\x00")
			require.ErrorIs(t, err, storage.ErrNotFound)
			add("a\x00", 5, 15)
			add("a\x00", 6, 25)
			add("b", 7, 17)
			at, err := w.Failures(ctx, "a\x00")
			require.NoError(t, err)
			require.EqualValues(t, 25, at)
			n, err := w.DeleteFailures(ctx, 20, 10)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			_, err = w.Failures(ctx, "b")
			require.ErrorIs(t, err, storage.ErrNotFound, "forgiven")
			add("a\x00", 30, 40)
			add("d", 500, 510)
			add("d", 30, 40)
			n, err = w.DeleteFailures(ctx, 39, 10)
			require.NoError(t, err)
			require.Zero(t, n)
			for range 2 {
				n, err = w.DeleteFailures(ctx, 40, 1)
				require.NoError(t, err)
				require.EqualValues(t, 1, n)
			}
			return err
		})
	})
}

func TestServerInfoAndCursors(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			epoch, err := w.Epoch(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, epoch)
			require.NoError(t, w.PutServerInfo(ctx, "epoch", "42"))
			for range 2 {
				value, err := w.EnsureServerInfo(ctx, "epoch", "7")
				require.NoError(t, err)
				require.Equal(t, "42", value)
				value, err = w.EnsureServerInfo(ctx, "other", "7")
				require.NoError(t, err)
				require.Equal(t, "7", value)
			}

			_, err = w.OldestCursor(ctx)
			require.ErrorIs(t, err, storage.ErrNotFound)
			require.NoError(t, w.PutCursor(ctx, "push", 3))
			require.NoError(t, w.PutCursor(ctx, "push", 5))
			require.NoError(t, w.PutCursor(ctx, "search", 4))
			pos, err := w.Cursor(ctx, "push")
			require.NoError(t, err)
			require.EqualValues(t, 5, pos)
			pos, err = w.OldestCursor(ctx)
			require.EqualValues(t, 4, pos)
			return err
		})
	})
}
