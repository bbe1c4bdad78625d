// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.KeyBackup = KeyBackup{}

// KeyBackup stands for key_backup.yaml.
type KeyBackup struct{}

// DeleteRoomKeys is not served yet.
func (KeyBackup) DeleteRoomKeys(context.Context, api.Caller, *clientapi.DeleteRoomKeysRequest) (*clientapi.DeleteRoomKeysResponse, error) {
	return nil, api.Unfinished()
}

// GetRoomKeys is not served yet.
func (KeyBackup) GetRoomKeys(context.Context, api.Caller, *clientapi.GetRoomKeysRequest) (*clientapi.GetRoomKeysResponse, error) {
	return nil, api.Unfinished()
}

// PutRoomKeys is not served yet.
func (KeyBackup) PutRoomKeys(context.Context, api.Caller, *clientapi.PutRoomKeysRequest) (*clientapi.PutRoomKeysResponse, error) {
	return nil, api.Unfinished()
}

// DeleteRoomKeysByRoomID is not served yet.
func (KeyBackup) DeleteRoomKeysByRoomID(context.Context, api.Caller, *clientapi.DeleteRoomKeysByRoomIDRequest) (*clientapi.DeleteRoomKeysByRoomIDResponse, error) {
	return nil, api.Unfinished()
}

// GetRoomKeysByRoomID is not served yet.
func (KeyBackup) GetRoomKeysByRoomID(context.Context, api.Caller, *clientapi.GetRoomKeysByRoomIDRequest) (*clientapi.GetRoomKeysByRoomIDResponse, error) {
	return nil, api.Unfinished()
}

// PutRoomKeysByRoomID is not served yet.
func (KeyBackup) PutRoomKeysByRoomID(context.Context, api.Caller, *clientapi.PutRoomKeysByRoomIDRequest) (*clientapi.PutRoomKeysByRoomIDResponse, error) {
	return nil, api.Unfinished()
}

// DeleteRoomKeyBySessionID is not served yet.
func (KeyBackup) DeleteRoomKeyBySessionID(context.Context, api.Caller, *clientapi.DeleteRoomKeyBySessionIDRequest) (*clientapi.DeleteRoomKeyBySessionIDResponse, error) {
	return nil, api.Unfinished()
}

// GetRoomKeyBySessionID is not served yet.
func (KeyBackup) GetRoomKeyBySessionID(context.Context, api.Caller, *clientapi.GetRoomKeyBySessionIDRequest) (*clientapi.GetRoomKeyBySessionIDResponse, error) {
	return nil, api.Unfinished()
}

// PutRoomKeyBySessionID is not served yet.
func (KeyBackup) PutRoomKeyBySessionID(context.Context, api.Caller, *clientapi.PutRoomKeyBySessionIDRequest) (*clientapi.PutRoomKeyBySessionIDResponse, error) {
	return nil, api.Unfinished()
}

// GetRoomKeysVersionCurrent is not served yet.
func (KeyBackup) GetRoomKeysVersionCurrent(context.Context, api.Caller, *clientapi.GetRoomKeysVersionCurrentRequest) (*clientapi.GetRoomKeysVersionCurrentResponse, error) {
	return nil, api.Unfinished()
}

// PostRoomKeysVersion is not served yet.
func (KeyBackup) PostRoomKeysVersion(context.Context, api.Caller, *clientapi.PostRoomKeysVersionRequest) (*clientapi.PostRoomKeysVersionResponse, error) {
	return nil, api.Unfinished()
}

// DeleteRoomKeysVersion is not served yet.
func (KeyBackup) DeleteRoomKeysVersion(context.Context, api.Caller, *clientapi.DeleteRoomKeysVersionRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// GetRoomKeysVersion is not served yet.
func (KeyBackup) GetRoomKeysVersion(context.Context, api.Caller, *clientapi.GetRoomKeysVersionRequest) (*clientapi.GetRoomKeysVersionResponse, error) {
	return nil, api.Unfinished()
}

// PutRoomKeysVersion is not served yet.
func (KeyBackup) PutRoomKeysVersion(context.Context, api.Caller, *clientapi.PutRoomKeysVersionRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}
