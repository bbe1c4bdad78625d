// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// An AccessToken is a row of access_tokens. The token itself is not stored.
type AccessToken struct {
	Hash      string
	UserID    id.UserID
	DeviceID  id.DeviceID // "" for a token without a device
	ClientID  string      // the OAuth client, "" for the login API
	Scopes    string      // OAuth scopes separated by spaces, "" for all
	Refresh   string      // hash of the refresh token it came with, "" for none
	CreatedAt int64       // milliseconds
	ExpiresAt int64       // milliseconds; 0 for never
	UsedAt    int64       // milliseconds; 0 for not yet
}

// A RefreshToken is a row of refresh_tokens.
type RefreshToken struct {
	Hash      string
	UserID    id.UserID
	DeviceID  id.DeviceID
	ClientID  string
	Scopes    string
	Successor string // hash of the token it was exchanged for, "" if it was not
	CreatedAt int64  // milliseconds
	ExpiresAt int64  // milliseconds; 0 for never
}

const (
	accessColumns  = `token_hash, user_id, device_id, client_id, scopes, refresh, created_at, expires_at, used_at`
	refreshColumns = `token_hash, user_id, device_id, client_id, scopes, successor, created_at, expires_at`
)

var (
	qInsertAccessToken = q("insert_access_token", `INSERT INTO access_tokens (`+accessColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`)
	qAccessToken           = q("access_token", `SELECT `+accessColumns+` FROM access_tokens WHERE token_hash = $1`)
	qTouchAccessToken      = q("touch_access_token", `UPDATE access_tokens SET used_at = $2 WHERE token_hash = $1`)
	qDeleteAccessToken     = q("delete_access_token", `DELETE FROM access_tokens WHERE token_hash = $1`)
	qDeleteAccessTokensOf  = q("delete_access_tokens_of", `DELETE FROM access_tokens WHERE user_id = $1 AND device_id = ANY($2)`)
	qDeleteAccessTokensAll = q("delete_access_tokens_all", `DELETE FROM access_tokens WHERE user_id = $1 AND token_hash <> $2`)

	qInsertRefreshToken = q("insert_refresh_token", `INSERT INTO refresh_tokens (`+refreshColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`)
	qRefreshToken           = q("refresh_token", `SELECT `+refreshColumns+` FROM refresh_tokens WHERE token_hash = $1`)
	qPutSuccessor           = q("put_successor", `UPDATE refresh_tokens SET successor = $2 WHERE token_hash = $1`)
	qDeletePredecessors     = q("delete_predecessors", `DELETE FROM refresh_tokens WHERE successor = $1 AND successor <> ''`)
	qDeleteRefreshTokensOf  = q("delete_refresh_tokens_of", `DELETE FROM refresh_tokens WHERE user_id = $1 AND device_id = ANY($2)`)
	qDeleteRefreshTokensAll = q("delete_refresh_tokens_all", `DELETE FROM refresh_tokens WHERE user_id = $1 AND device_id <> $2`)
	qDeleteDevicesAll       = q("delete_devices_all", `DELETE FROM devices WHERE user_id = $1 AND device_id <> $2`)
)

// InsertAccessToken gives access.
func (w *Writer) InsertAccessToken(ctx context.Context, t *AccessToken) error {
	return w.enqueue(ctx, qInsertAccessToken, t.Hash, t.UserID, t.DeviceID, t.ClientID, t.Scopes, t.Refresh,
		t.CreatedAt, t.ExpiresAt, t.UsedAt)
}

// AccessToken returns a token by its hash. It may have expired.
func (r *Reader) AccessToken(ctx context.Context, hash string) (*AccessToken, error) {
	var t AccessToken
	var deviceID Text
	err := r.row(ctx, qAccessToken, []any{hash}, &t.Hash, &t.UserID, &deviceID, &t.ClientID, &t.Scopes, &t.Refresh,
		&t.CreatedAt, &t.ExpiresAt, &t.UsedAt)
	if err != nil {
		return nil, err
	}
	t.DeviceID = id.DeviceID(deviceID)
	return &t, nil
}

// TouchAccessToken sets when a token was last used.
func (w *Writer) TouchAccessToken(ctx context.Context, hash string, at int64) error {
	return w.enqueue(ctx, qTouchAccessToken, hash, at)
}

// DeleteAccessToken deletes a token. ErrNotFound if there is none.
func (w *Writer) DeleteAccessToken(ctx context.Context, hash string) error {
	return w.execOne(ctx, qDeleteAccessToken, hash)
}

// DeleteDeviceAccess deletes the tokens of one device, but not the device.
func (w *Writer) DeleteDeviceAccess(ctx context.Context, userID id.UserID, deviceID id.DeviceID) error {
	devices := []id.DeviceID{deviceID}
	if err := w.enqueue(ctx, qDeleteAccessTokensOf, userID, devices); err != nil {
		return err
	}
	return w.enqueue(ctx, qDeleteRefreshTokensOf, userID, devices)
}

// DeleteOtherAccess deletes all of a user's devices and tokens except these; "" excepts
// none.
func (w *Writer) DeleteOtherAccess(ctx context.Context, userID id.UserID, keepToken string, keepDevice id.DeviceID) error {
	if err := w.enqueue(ctx, qDeleteAccessTokensAll, userID, keepToken); err != nil {
		return err
	}
	for _, q := range []*query{qDeleteRefreshTokensAll, qDeleteDevicesAll} {
		if err := w.enqueue(ctx, q, userID, keepDevice); err != nil {
			return err
		}
	}
	return nil
}

// InsertRefreshToken makes a refresh token.
func (w *Writer) InsertRefreshToken(ctx context.Context, t *RefreshToken) error {
	return w.enqueue(ctx, qInsertRefreshToken, t.Hash, t.UserID, t.DeviceID, t.ClientID, t.Scopes, t.Successor,
		t.CreatedAt, t.ExpiresAt)
}

// RefreshToken returns a refresh token by its hash.
func (r *Reader) RefreshToken(ctx context.Context, hash string) (*RefreshToken, error) {
	var t RefreshToken
	var deviceID Text
	err := r.row(ctx, qRefreshToken, []any{hash}, &t.Hash, &t.UserID, &deviceID, &t.ClientID, &t.Scopes, &t.Successor,
		&t.CreatedAt, &t.ExpiresAt)
	if err != nil {
		return nil, err
	}
	t.DeviceID = id.DeviceID(deviceID)
	return &t, nil
}

// PutSuccessor stores which token a refresh token was exchanged for.
func (w *Writer) PutSuccessor(ctx context.Context, hash, successor string) error {
	return w.execOne(ctx, qPutSuccessor, hash, successor)
}

// DeletePredecessors deletes the refresh tokens that were exchanged for this one: the
// client has used it, so it has arrived.
func (w *Writer) DeletePredecessors(ctx context.Context, hash string) error {
	return w.enqueue(ctx, qDeletePredecessors, hash)
}
