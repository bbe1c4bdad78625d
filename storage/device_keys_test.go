// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

func TestDeviceKeys(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for _, d := range []storage.Device{
				{UserID: "@b:t", ID: "D\x00", DisplayName: "b's"},
				{UserID: "@a:t", ID: "E"},
				{UserID: "@a:t", ID: "D\x00", DisplayName: "n\x00"},
				{UserID: "@a:t", ID: "without keys"},
			} {
				require.NoError(t, w.PutDevice(ctx, &d))
			}
			require.NoError(t, w.PutDeviceKeys(ctx, "@a:t", "E", []byte(`"old"`)))
			require.NoError(t, w.PutDeviceKeys(ctx, "@a:t", "E", []byte(`"e"`)))
			require.NoError(t, w.PutDeviceKeys(ctx, "@a:t", "D\x00", []byte(`"d"`)))
			require.NoError(t, w.PutDeviceKeys(ctx, "@b:t", "D\x00", []byte(`"b"`)))
			return w.PutDeviceKeys(ctx, "@c:t", "gone", []byte(`"c"`))
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			d := &storage.DeviceKeys{UserID: "@a:t", DeviceID: "D\x00", Keys: []byte(`"d"`), DisplayName: "n\x00"}
			e := &storage.DeviceKeys{UserID: "@a:t", DeviceID: "E", Keys: []byte(`"e"`)}
			b := &storage.DeviceKeys{UserID: "@b:t", DeviceID: "D\x00", Keys: []byte(`"b"`), DisplayName: "b's"}
			list, err := r.DeviceKeysOf(ctx, []id.UserID{"@c:t", "@b:t", "@nobody:t", "@a:t", "@a:t"})
			require.NoError(t, err)
			require.Equal(t, []*storage.DeviceKeys{d, e, b}, list, "of devices that exist and have keys, each once")
			list, err = r.DeviceKeysOf(ctx, []id.UserID{"@a:t"})
			require.NoError(t, err)
			require.Equal(t, []*storage.DeviceKeys{d, e}, list)
			list, err = r.DeviceKeysOf(ctx, nil)
			require.NoError(t, err)
			require.Empty(t, list)

			keys, err := r.DeviceKeys(ctx, "@a:t", "E")
			require.NoError(t, err)
			require.Equal(t, `"e"`, string(keys), "replaced")
			_, err = r.DeviceKeys(ctx, "@a:t", "without keys")
			require.ErrorIs(t, err, storage.ErrNotFound)
			devices, err := r.DevicesWithKeys(ctx, "@a:t")
			require.Equal(t, []id.DeviceID{"D\x00", "E"}, devices)
			return err
		})
	})
}

func TestOneTimeKeys(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		const alg = "signed_curve25519"
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			put := func(user id.UserID, device id.DeviceID, algorithm, keyID, key string, pos int64) {
				k := &storage.OneTimeKey{Algorithm: algorithm, ID: keyID, Key: []byte(key)}
				require.NoError(t, w.PutOneTimeKey(ctx, user, device, k, pos))
			}
			put("@a:t", "D", alg, "a", `"late"`, 7)
			put("@a:t", "D", alg, "c\x00", `"c"`, 4)
			put("@a:t", "D", alg, "b", `"b"`, 4)
			put("@a:t", "D", "other", "a", `"other"`, 1)
			put("@a:t", "E", alg, "a", `"of E"`, 1)
			put("@b:t", "D", alg, "a", `"of b"`, 1)

			for at, want := range []string{"b", "c\x00"} {
				k, err := w.ClaimOneTimeKey(ctx, "@a:t", "D", alg, int64(at)+10)
				require.NoError(t, err)
				require.Equal(t, want, k.ID, "the oldest, which has not been given out")
			}
			list, err := w.OneTimeKeys(ctx, "@a:t", "D", alg, []string{"c\x00", "a", "none"})
			require.NoError(t, err)
			require.Equal(t, []*storage.OneTimeKey{
				{Algorithm: alg, ID: "a", Key: []byte(`"late"`)},
				{Algorithm: alg, ID: "c\x00", Key: []byte(`"c"`), ClaimedAt: 11},
			}, list, "of this algorithm and device, claimed ones too")
			counts, err := w.CountOneTimeKeys(ctx, "@a:t", "D")
			require.NoError(t, err)
			require.Equal(t, map[string]int64{alg: 1, "other": 1}, counts, "those that can be claimed")

			k, err := w.ClaimOneTimeKey(ctx, "@a:t", "D", alg, 12)
			require.NoError(t, err)
			require.Equal(t, &storage.OneTimeKey{Algorithm: alg, ID: "a", Key: []byte(`"late"`), ClaimedAt: 12}, k)
			_, err = w.ClaimOneTimeKey(ctx, "@a:t", "D", alg, 13)
			require.ErrorIs(t, err, storage.ErrNotFound, "none is left, though other devices and users have some")
			require.NoError(t, w.DeleteClaimedKeys(ctx, "@a:t", "D", 11))
			list, err = w.OneTimeKeys(ctx, "@a:t", "D", alg, []string{"a", "b", "c\x00"})
			require.NoError(t, err)
			require.Len(t, list, 2, "b was claimed before that time")
			counts, err = w.CountOneTimeKeys(ctx, "@b:t", "D")
			require.Equal(t, map[string]int64{alg: 1}, counts)
			return err
		})
	})
}

func TestAFallbackKeyIsUsedUntilItIsReplaced(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			old := &storage.FallbackKey{Algorithm: "x", ID: "1", Key: []byte(`1`)}
			next := &storage.FallbackKey{Algorithm: "x", ID: "2", Key: []byte(`2`)}
			other := &storage.FallbackKey{Algorithm: "w", ID: "1", Key: []byte(`3`)}
			require.NoError(t, w.PutFallbackKey(ctx, "@a:t", "D", old))
			require.NoError(t, w.PutFallbackKey(ctx, "@a:t", "D", other))
			require.NoError(t, w.PutFallbackKey(ctx, "@b:t", "D", old))
			require.NoError(t, w.UseFallbackKey(ctx, "@a:t", "D", old))
			used := *old
			used.Used = true
			list, err := w.FallbackKeys(ctx, "@a:t", "D")
			require.NoError(t, err)
			require.Equal(t, []*storage.FallbackKey{other, &used}, list)
			require.NoError(t, w.PutFallbackKey(ctx, "@a:t", "D", next))
			require.NoError(t, w.UseFallbackKey(ctx, "@a:t", "D", old)) // too late
			list, err = w.FallbackKeys(ctx, "@a:t", "D")
			require.NoError(t, err)
			require.Equal(t, []*storage.FallbackKey{other, next}, list)
			list, err = w.FallbackKeys(ctx, "@b:t", "D")
			require.Equal(t, []*storage.FallbackKey{old}, list)
			return err
		})
	})
}

// hasKeys is what is stored for a device.
type hasKeys struct{ identity, oneTime, fallback, signature bool }

func requireKeys(ctx context.Context, t *testing.T, w *storage.Writer, user id.UserID, device id.DeviceID, want hasKeys) {
	t.Helper()
	var got hasKeys
	_, err := w.DeviceKeys(ctx, user, device)
	if err != nil {
		require.ErrorIs(t, err, storage.ErrNotFound)
	}
	got.identity = err == nil
	oneTime, err := w.OneTimeKeys(ctx, user, device, "x", []string{"1"})
	require.NoError(t, err)
	fallback, err := w.FallbackKeys(ctx, user, device)
	require.NoError(t, err)
	signatures, err := w.KeySignatures(ctx, []id.UserID{user}, user)
	require.NoError(t, err)
	for _, s := range signatures {
		got.signature = got.signature || s.KeyID == string(device)
	}
	got.oneTime, got.fallback = len(oneTime) > 0, len(fallback) > 0
	require.Equal(t, want, got, "%s %q", user, device)
}

func TestKeysOfADeviceAreDeletedTogether(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for _, user := range []id.UserID{"@a:t", "@b:t"} {
				for _, device := range []id.DeviceID{"D\x00", "E", "F"} {
					require.NoError(t, w.PutDeviceKeys(ctx, user, device, []byte(`{}`)))
					require.NoError(t, w.PutOneTimeKey(ctx, user, device, &storage.OneTimeKey{Algorithm: "x", ID: "1", Key: []byte(`1`)}, 1))
					require.NoError(t, w.PutFallbackKey(ctx, user, device, &storage.FallbackKey{Algorithm: "x", ID: "1", Key: []byte(`1`)}))
					s := &storage.KeySignature{UserID: user, KeyID: string(device), Signer: user, SignedBy: "ed25519:s", Signature: "s"}
					require.NoError(t, w.PutKeySignature(ctx, s))
				}
			}
			all := hasKeys{identity: true, oneTime: true, fallback: true, signature: true}
			requireKeys(ctx, t, w, "@a:t", "D\x00", all)

			require.NoError(t, w.DeleteDeviceKeys(ctx, "@a:t", []id.DeviceID{"D\x00", "none", "F"}))
			requireKeys(ctx, t, w, "@a:t", "D\x00", hasKeys{})
			requireKeys(ctx, t, w, "@a:t", "F", hasKeys{})
			requireKeys(ctx, t, w, "@a:t", "E", all)

			require.NoError(t, w.DeleteOneTimeKeys(ctx, "@a:t", "E"))
			requireKeys(ctx, t, w, "@a:t", "E", hasKeys{identity: true})
			for _, device := range []id.DeviceID{"D\x00", "E", "F"} {
				requireKeys(ctx, t, w, "@b:t", device, all)
			}
			return nil
		})
	})
}
