// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Keys = Keys{}

// Keys stands for keys.yaml.
type Keys struct{}

// GetKeysChanges is not served yet.
func (Keys) GetKeysChanges(context.Context, api.Caller, *clientapi.GetKeysChangesRequest) (*clientapi.GetKeysChangesResponse, error) {
	return nil, api.Unfinished()
}

// ClaimKeys is not served yet.
func (Keys) ClaimKeys(context.Context, api.Caller, *clientapi.ClaimKeysRequest) (*clientapi.ClaimKeysResponse, error) {
	return nil, api.Unfinished()
}

// QueryKeys is not served yet.
func (Keys) QueryKeys(context.Context, api.Caller, *clientapi.QueryKeysRequest) (*clientapi.QueryKeysResponse, error) {
	return nil, api.Unfinished()
}

// UploadKeys is not served yet.
func (Keys) UploadKeys(context.Context, api.Caller, *clientapi.UploadKeysRequest) (*clientapi.UploadKeysResponse, error) {
	return nil, api.Unfinished()
}
