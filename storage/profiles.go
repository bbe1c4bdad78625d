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
	qDeleteProfile      = q("delete_profile", `DELETE FROM profiles WHERE user_id = $1`)
	qProfileField       = q("profile_field", `SELECT value FROM profiles WHERE user_id = $1 AND field = $2`)
	qProfile            = q("profile", `SELECT field, value FROM profiles WHERE user_id = $1 ORDER BY field`)
	qChangeProfile      = q("change_profile", `UPDATE users SET profile_version = profile_version + 1 WHERE user_id = $1`)
	qProfileVersion     = q("profile_version", `SELECT profile_version FROM users WHERE user_id = $1`)
	qHoldProfile        = q("hold_profile", `SELECT profile_version FROM users WHERE user_id = $1 FOR SHARE`)
	qProfiles           = q("profiles", `SELECT user_id, field, value FROM profiles WHERE user_id = ANY($1) ORDER BY user_id, field`)
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

// DeleteProfile removes all fields of a profile.
func (w *Writer) DeleteProfile(ctx context.Context, userID id.UserID) error {
	return w.enqueue(ctx, qDeleteProfile, userID)
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

// ProfileField returns the value of one field.
func (r *Reader) ProfileField(ctx context.Context, userID id.UserID, name string) (value []byte, err error) {
	err = r.row(ctx, qProfileField, []any{userID, name}, &value)
	return value, err
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

// Profiles returns the profiles of several users, fields by name.
func (r *Reader) Profiles(ctx context.Context, userIDs []id.UserID) (map[id.UserID][]ProfileField, error) {
	profiles := make(map[id.UserID][]ProfileField, len(userIDs))
	err := r.rows(ctx, qProfiles, []any{userIDs}, func(scan scanFunc) error {
		var userID id.UserID
		var name Text
		var value []byte
		if err := scan(&userID, &name, &value); err != nil {
			return err
		}
		profiles[userID] = append(profiles[userID], ProfileField{string(name), value})
		return nil
	})
	return profiles, err
}
