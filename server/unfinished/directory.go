// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Directory = Directory{}

// Directory stands for directory.yaml.
type Directory struct{}

// DeleteRoomAlias is not served yet.
func (Directory) DeleteRoomAlias(context.Context, api.Caller, *clientapi.DeleteRoomAliasRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// GetRoomIDByAlias is not served yet.
func (Directory) GetRoomIDByAlias(context.Context, *clientapi.GetRoomIDByAliasRequest) (*clientapi.GetRoomIDByAliasResponse, error) {
	return nil, api.Unfinished()
}

// SetRoomAlias is not served yet.
func (Directory) SetRoomAlias(context.Context, api.Caller, *clientapi.SetRoomAliasRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// GetLocalAliases is not served yet.
func (Directory) GetLocalAliases(context.Context, api.Caller, *clientapi.GetLocalAliasesRequest) (*clientapi.GetLocalAliasesResponse, error) {
	return nil, api.Unfinished()
}
