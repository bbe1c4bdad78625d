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

func TestCrossSigningKeys(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		key := func(user id.UserID, usage, keyID string) *storage.CrossSigningKey {
			return &storage.CrossSigningKey{UserID: user, Usage: usage, ID: keyID, Key: []byte(`"` + keyID + `"`)}
		}
		sign := func(user id.UserID, keyID string) *storage.KeySignature {
			return &storage.KeySignature{UserID: user, KeyID: keyID, Signer: user, SignedBy: "ed25519:D", Signature: "s"}
		}
		old, master, self := key("@a:t", "master", "m1"), key("@a:t", "master", "m2"), key("@a:t", "self_signing", "s")
		of := key("@b:t", "master", "m1") // the same name at another user
		users := []id.UserID{"@b:t", "@nobody:t", "@a:t"}
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			for _, k := range []*storage.CrossSigningKey{self, old, of} {
				require.NoError(t, w.PutCrossSigningKey(ctx, nil, k))
				require.NoError(t, w.PutKeySignature(ctx, sign(k.UserID, k.ID)))
			}
			list, err := w.CrossSigningKeys(ctx, users)
			require.NoError(t, err)
			require.Equal(t, []*storage.CrossSigningKey{old, self, of}, list)
			return w.PutCrossSigningKey(ctx, old, master)
		})
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			list, err := w.CrossSigningKeys(ctx, users)
			require.NoError(t, err)
			require.Equal(t, []*storage.CrossSigningKey{master, self, of}, list)
			list, err = w.CrossSigningKeys(ctx, []id.UserID{"@b:t"})
			require.NoError(t, err)
			require.Equal(t, []*storage.CrossSigningKey{of}, list)
			signatures, err := w.KeySignatures(ctx, users, "")
			require.NoError(t, err)
			require.Equal(t, []*storage.KeySignature{sign("@a:t", "s"), sign("@b:t", "m1")}, signatures, "the one on the previous key is deleted")
			return w.DeleteCrossSigningKey(ctx, self)
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			list, err := r.CrossSigningKeys(ctx, users)
			require.NoError(t, err)
			require.Equal(t, []*storage.CrossSigningKey{master, of}, list)
			signatures, err := r.KeySignatures(ctx, users, "")
			require.Equal(t, []*storage.KeySignature{sign("@b:t", "m1")}, signatures)
			return err
		})
	})
}

// TestKeySignatures: who has signed another user's key is known to those two alone.
func TestKeySignatures(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := func(user id.UserID, keyID string, signer id.UserID, signedBy string) *storage.KeySignature {
			return &storage.KeySignature{UserID: user, KeyID: keyID, Signer: signer, SignedBy: signedBy, Signature: "of " + string(signer)}
		}
		own, second, third := s("@a:t", "D\x00", "@a:t", "ed25519:1"), s("@a:t", "D\x00", "@a:t", "ed25519:2\x00"), s("@a:t", "E", "@a:t", "ed25519:1")
		byB, byC, ofB := s("@a:t", "D\x00", "@b:t", "ed25519:b"), s("@a:t", "D\x00", "@c:t", "ed25519:c"), s("@b:t", "D\x00", "@b:t", "ed25519:b")
		write(t, db, func(ctx context.Context, w *storage.Writer) error {
			previous := *own
			previous.Signature = "previous"
			for _, s := range []*storage.KeySignature{&previous, ofB, byC, byB, third, second, own} {
				require.NoError(t, w.PutKeySignature(ctx, s))
			}
			return nil
		})
		read(t, db, func(ctx context.Context, r *storage.Reader) error {
			for _, c := range []struct {
				users  []id.UserID
				viewer id.UserID
				want   []*storage.KeySignature
			}{
				{[]id.UserID{"@b:t", "@a:t"}, "@b:t", []*storage.KeySignature{own, second, byB, third, ofB}},
				{[]id.UserID{"@b:t", "@a:t"}, "@c:t", []*storage.KeySignature{own, second, byC, third, ofB}},
				{[]id.UserID{"@a:t"}, "@a:t", []*storage.KeySignature{own, second, third}},
				{[]id.UserID{"@b:t", "@nobody:t"}, "@a:t", []*storage.KeySignature{ofB}},
				{nil, "@a:t", nil},
			} {
				got, err := r.KeySignatures(ctx, c.users, c.viewer)
				require.NoError(t, err)
				require.Equal(t, c.want, got, "%v as %s sees them", c.users, c.viewer)
			}
			return nil
		})
	})
}
