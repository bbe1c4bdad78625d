// SPDX-License-Identifier: Apache-2.0

// Package keybackup keeps users' backups of room keys, which their clients have
// encrypted. It must not know how.
//
// Spec: client-server "Server-side key backups".
package keybackup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/storage"
)

var _ clientapi.KeyBackup = (*KeyBackup)(nil)

// Limits, in bytes and keys.
const (
	maxAuthData    = 64 << 10
	maxAlgorithm   = 255
	maxSessionID   = 255
	maxSessionData = 64 << 10
	maxKeys        = 500_000
)

// Deps are what the backups need.
type Deps struct {
	DB *storage.DB
	// OpaqueAuthData is a departure from the letter, which it notes: auth_data may
	// be a string.
	OpaqueAuthData func(ctx context.Context) bool
}

// KeyBackup serves backups of room keys.
type KeyBackup struct{ Deps }

// New makes the slice.
func New(d Deps) *KeyBackup { return &KeyBackup{d} }

// PostRoomKeysVersion makes a backup, which becomes the current one.
//
// Spec: client-server postRoomKeysVersion.
func (k *KeyBackup) PostRoomKeysVersion(ctx context.Context, who api.Caller, req *clientapi.PostRoomKeysVersionRequest) (*clientapi.PostRoomKeysVersionResponse, error) {
	if err := k.check(ctx, req.Body.Algorithm, req.Body.AuthData); err != nil {
		return nil, err
	}
	for {
		var version int64
		err := k.DB.Write(ctx, func(tx *storage.Writer) (err error) {
			version, err = tx.InsertKeyBackup(ctx, who.User, req.Body.Algorithm, req.Body.AuthData)
			return err
		})
		switch {
		case err == nil:
			return &clientapi.PostRoomKeysVersionResponse{Version: versionText(version)}, nil
		case !errors.Is(err, storage.ErrExists): // else another device has just made this version: the next one, then
			return nil, fmt.Errorf("new key backup of %s: %w", who.User, err)
		}
	}
}

// check refuses what a backup cannot be described by.
func (k *KeyBackup) check(ctx context.Context, algorithm string, authData api.Raw) error {
	switch {
	case len(algorithm) > maxAlgorithm:
		return api.InvalidParam("The name of an algorithm has at most %d bytes", maxAlgorithm)
	case len(authData) > maxAuthData:
		return api.TooLarge("auth_data has at most %d bytes", maxAuthData)
	case jsontext.Value(authData).Kind() != '{' && !k.OpaqueAuthData(ctx):
		return api.BadJSON("auth_data is not an object")
	}
	return nil
}

// GetRoomKeysVersionCurrent describes the current backup.
//
// Spec: client-server getRoomKeysVersionCurrent.
func (k *KeyBackup) GetRoomKeysVersionCurrent(ctx context.Context, who api.Caller, _ *clientapi.GetRoomKeysVersionCurrentRequest) (*clientapi.GetRoomKeysVersionCurrentResponse, error) {
	var b *storage.KeyBackup
	err := k.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		b, err = tx.CurrentKeyBackup(ctx, who.User)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, api.NotFound("You have no key backup")
	}
	if err != nil {
		return nil, fmt.Errorf("current key backup of %s: %w", who.User, err)
	}
	return &clientapi.GetRoomKeysVersionCurrentResponse{
		Version: versionText(b.Version), Algorithm: b.Algorithm, AuthData: b.AuthData, Count: b.Keys, Etag: etag(b.Etag),
	}, nil
}

// GetRoomKeysVersion describes one backup.
//
// Spec: client-server getRoomKeysVersion.
func (k *KeyBackup) GetRoomKeysVersion(ctx context.Context, who api.Caller, req *clientapi.GetRoomKeysVersionRequest) (*clientapi.GetRoomKeysVersionResponse, error) {
	var b *storage.KeyBackup
	err := k.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		b, err = existing(ctx, tx, who.User, req.Version)
		return err
	})
	if err != nil {
		return nil, failed(err, who.User, req.Version)
	}
	return &clientapi.GetRoomKeysVersionResponse{
		Version: versionText(b.Version), Algorithm: b.Algorithm, AuthData: b.AuthData, Count: b.Keys, Etag: etag(b.Etag),
	}, nil
}

// PutRoomKeysVersion changes the auth_data of a backup, and nothing else.
//
// Spec: client-server putRoomKeysVersion.
func (k *KeyBackup) PutRoomKeysVersion(ctx context.Context, who api.Caller, req *clientapi.PutRoomKeysVersionRequest) (*api.Empty, error) {
	if err := k.check(ctx, req.Body.Algorithm, req.Body.AuthData); err != nil {
		return nil, err
	}
	if v := req.Body.Version; v.Set && v.Value != req.Version {
		return nil, api.InvalidParam("The version of the body is not that of the path")
	}
	err := k.DB.Write(ctx, func(tx *storage.Writer) error {
		b, err := locked(ctx, tx, who.User, req.Version)
		if err != nil {
			return err
		}
		if b.Algorithm != req.Body.Algorithm {
			return api.InvalidParam("Algorithm does not match: the backup's is %s", b.Algorithm)
		}
		return tx.PutKeyBackupAuthData(ctx, who.User, b.Version, req.Body.AuthData)
	})
	if err != nil {
		return nil, failed(err, who.User, req.Version)
	}
	return &api.Empty{}, nil
}

// DeleteRoomKeysVersion deletes a backup with its keys, also one that is deleted
// already.
//
// Spec: client-server deleteRoomKeysVersion.
func (k *KeyBackup) DeleteRoomKeysVersion(ctx context.Context, who api.Caller, req *clientapi.DeleteRoomKeysVersionRequest) (*api.Empty, error) {
	version, err := versionOf(req.Version)
	if err != nil {
		return nil, err
	}
	err = k.DB.Write(ctx, func(tx *storage.Writer) error {
		b, err := tx.LockKeyBackup(ctx, who.User, version)
		if err != nil || b.Deleted {
			return err
		}
		return tx.DeleteKeyBackup(ctx, who.User, version)
	})
	if err != nil {
		return nil, failed(err, who.User, req.Version)
	}
	return &api.Empty{}, nil
}

// versionOf reads the name of a version as versionText writes it. Other strings
// name none.
func versionOf(version string) (int64, error) {
	n, err := strconv.ParseInt(version, 10, 64)
	if err != nil || n <= 0 || versionText(n) != version {
		return 0, unknown(version)
	}
	return n, nil
}

func versionText(version int64) string { return strconv.FormatInt(version, 10) }

// etag is opaque to clients: it is compared, and nothing else.
func etag(n int64) string { return strconv.FormatInt(n, 10) }

func unknown(version string) error {
	return api.NotFound("You have no key backup of version %q", version)
}

// existing finds a backup that is not deleted.
func existing(ctx context.Context, tx *storage.Reader, user id.UserID, version string) (*storage.KeyBackup, error) {
	return notDeleted(version, func(n int64) (*storage.KeyBackup, error) { return tx.KeyBackup(ctx, user, n) })
}

// locked is existing for a transaction that changes the backup.
func locked(ctx context.Context, tx *storage.Writer, user id.UserID, version string) (*storage.KeyBackup, error) {
	return notDeleted(version, func(n int64) (*storage.KeyBackup, error) { return tx.LockKeyBackup(ctx, user, n) })
}

func notDeleted(version string, find func(int64) (*storage.KeyBackup, error)) (*storage.KeyBackup, error) {
	n, err := versionOf(version)
	if err != nil {
		return nil, err
	}
	b, err := find(n)
	if err == nil && b.Deleted {
		return nil, unknown(version)
	}
	return b, err
}

// failed is what a client is told where a backup could not be read or changed.
func failed(err error, user id.UserID, version string) error {
	var told *api.Error
	switch {
	case errors.As(err, &told):
		return told
	case errors.Is(err, storage.ErrNotFound):
		return unknown(version)
	}
	return fmt.Errorf("key backup %s of %s: %w", version, user, err)
}

// wrongVersion is the answer to who writes to another backup than the current one.
//
// Spec: client-server putRoomKeys, M_WRONG_ROOM_KEYS_VERSION.
func wrongVersion(current int64) error {
	e := api.Errorf(http.StatusForbidden, "M_WRONG_ROOM_KEYS_VERSION", "Wrong backup version: the current one is %d", current)
	e.Extra = map[string]any{"current_version": versionText(current)}
	return e
}
