// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"

	"touchstone.example/api/id"
)

var (
	qPutProfileField = q("put_profile_field", `INSERT INTO profiles (user_id, field, value) VALUES ($1, $2, $3)
		ON CONFLICT (user_id, field) DO UPDATE SET value = excluded.value`)
	qDeleteProfileField = q("delete_profile_field", `DELETE FROM profiles WHERE user_id = $1 AND field = $2`)
	qProfile            = q("profile", `SELECT field, value FROM profiles WHERE user_id = $1 ORDER BY field`)
	qChangeProfile      = q("change_profile", `UPDATE users SET profile_version = profile_version + 1 WHERE user_id = $1`)
	qProfileVersion     = q("profile_version", `SELECT profile_version FROM users WHERE user_id = $1`)
	qHoldProfile        = q("hold_profile", `SELECT profile_version FROM users WHERE user_id = $1 FOR SHARE`)
)

// A ProfileField is one field of a profile; its value is JSON.
type ProfileField struct {
	Name  string
	Value []byte
}

// PutProfileField sets one field of a profile.
func (w *Writer) PutProfileField(ctx context.Context, userID id.UserID, f ProfileField) error {
	return w.enqueue(ctx, qPutProfileField, userID, f.Name, f.Value)
}

// DeleteProfileField removes one field of a profile.
func (w *Writer) DeleteProfileField(ctx context.Context, userID id.UserID, name string) error {
	return w.enqueue(ctx, qDeleteProfileField, userID, name)
}

// ChangeProfile increments the profile's version, for a change that rooms show. Call it
// first in the transaction: it lets only one such change of a user run at a time.
func (w *Writer) ChangeProfile(ctx context.Context, userID id.UserID) error {
	return w.enqueue(ctx, qChangeProfile, userID)
}

// ProfileVersion returns the profile's version, which counts the changes that rooms
// show; 0 for a user without an account.
func (r *Reader) ProfileVersion(ctx context.Context, userID id.UserID) (version int64, err error) {
	return r.profileVersion(ctx, qProfileVersion, userID)
}

// HoldProfile is ProfileVersion with a lock: the profile does not change until this
// transaction ends.
func (w *Writer) HoldProfile(ctx context.Context, userID id.UserID) (version int64, err error) {
	return w.profileVersion(ctx, qHoldProfile, userID)
}

func (r *Reader) profileVersion(ctx context.Context, q *query, userID id.UserID) (version int64, err error) {
	if err := r.row(ctx, q, []any{userID}, &version); !errors.Is(err, ErrNotFound) {
		return version, err
	}
	return 0, nil
}

// Profile lists the fields of a profile by name.
func (r *Reader) Profile(ctx context.Context, userID id.UserID) (fields []ProfileField, err error) {
	err = r.rows(ctx, qProfile, []any{userID}, func(scan scanFunc) error {
		var name Text
		var value []byte
		if err := scan(&name, &value); err != nil {
			return err
		}
		fields = append(fields, ProfileField{string(name), value})
		return nil
	})
	return fields, err
}
