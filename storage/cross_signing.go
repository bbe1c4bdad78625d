// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// A CrossSigningKey is a row of cross_signing_keys.
type CrossSigningKey struct {
	UserID id.UserID
	Usage  string // master, self_signing, user_signing
	ID     string // the public key
	Key    []byte // canonical JSON
}

// A KeySignature is a row of key_signatures.
type KeySignature struct {
	UserID    id.UserID // owner of the signed key
	KeyID     string    // device ID, or public key of the user's cross-signing key
	Signer    id.UserID // user who signed it
	SignedBy  string    // ID of the signing key: ed25519:…
	Signature string
}

var (
	qPutCrossSigningKey = q("put_cross_signing_key", `INSERT INTO cross_signing_keys (user_id, usage, key_id, key) VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id, usage) DO UPDATE SET key_id = excluded.key_id, key = excluded.key`)
	qDeleteCrossSigningKey = q("delete_cross_signing_key", `DELETE FROM cross_signing_keys WHERE user_id = $1 AND usage = $2`)
	qCrossSigningKeys      = q("cross_signing_keys", `SELECT user_id, usage, key_id, key FROM cross_signing_keys
		WHERE user_id = ANY($1) ORDER BY user_id, usage`)

	qPutKeySignature = q("put_key_signature", `INSERT INTO key_signatures (user_id, key_id, signer, signed_by, signature) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (user_id, key_id, signer, signed_by) DO UPDATE SET signature = excluded.signature`)
	// The owner's own signatures, and those of the viewer.
	qKeySignatures = q("key_signatures", `SELECT user_id, key_id, signer, signed_by, signature FROM key_signatures
		WHERE user_id = ANY($1) AND (signer = user_id OR signer = $2) ORDER BY user_id, key_id, signer, signed_by`)
	qDeleteKeySignatures = q("delete_key_signatures", `DELETE FROM key_signatures WHERE user_id = $1 AND key_id = ANY($2)`)
)

// PutCrossSigningKey sets a user's key of one usage. Signatures on the previous key are
// deleted.
func (w *Writer) PutCrossSigningKey(ctx context.Context, old *CrossSigningKey, k *CrossSigningKey) error {
	if old != nil {
		if err := w.enqueue(ctx, qDeleteKeySignatures, k.UserID, []string{old.ID}); err != nil {
			return err
		}
	}
	return w.enqueue(ctx, qPutCrossSigningKey, k.UserID, k.Usage, k.ID, k.Key)
}

// DeleteCrossSigningKey deletes a user's key with the signatures on it.
func (w *Writer) DeleteCrossSigningKey(ctx context.Context, k *CrossSigningKey) error {
	if err := w.enqueue(ctx, qDeleteKeySignatures, k.UserID, []string{k.ID}); err != nil {
		return err
	}
	return w.enqueue(ctx, qDeleteCrossSigningKey, k.UserID, k.Usage)
}

// CrossSigningKeys lists the cross-signing keys of some users.
func (r *Reader) CrossSigningKeys(ctx context.Context, users []id.UserID) (list []*CrossSigningKey, err error) {
	err = r.rows(ctx, qCrossSigningKeys, []any{users}, func(scan scanFunc) error {
		k := new(CrossSigningKey)
		var userID Text
		err := scan(&userID, &k.Usage, &k.ID, &k.Key)
		k.UserID = id.UserID(userID)
		list = append(list, k)
		return err
	})
	return list, err
}

// PutKeySignature stores a signature that was verified.
func (w *Writer) PutKeySignature(ctx context.Context, s *KeySignature) error {
	return w.enqueue(ctx, qPutKeySignature, s.UserID, s.KeyID, s.Signer, s.SignedBy, s.Signature)
}

// KeySignatures lists the signatures on the keys of some users that the users
// themselves, or viewer, have made.
func (r *Reader) KeySignatures(ctx context.Context, users []id.UserID, viewer id.UserID) (list []*KeySignature, err error) {
	err = r.rows(ctx, qKeySignatures, []any{users, viewer}, func(scan scanFunc) error {
		s := new(KeySignature)
		var userID, keyID, signer, signedBy Text
		err := scan(&userID, &keyID, &signer, &signedBy, &s.Signature)
		s.UserID, s.KeyID, s.Signer, s.SignedBy = id.UserID(userID), string(keyID), id.UserID(signer), string(signedBy)
		list = append(list, s)
		return err
	})
	return list, err
}
