// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.Query = FedQuery{}

// FedQuery stands for query.yaml.
type FedQuery struct{}

// QueryRoomDirectory is not served yet.
func (FedQuery) QueryRoomDirectory(context.Context, id.ServerName, *fedapi.QueryRoomDirectoryRequest) (*fedapi.QueryRoomDirectoryResponse, error) {
	return nil, api.Unfinished()
}

// QueryProfile is not served yet.
func (FedQuery) QueryProfile(context.Context, id.ServerName, *fedapi.QueryProfileRequest) (*fedapi.QueryProfileResponse, error) {
	return nil, api.Unfinished()
}

// QueryInfo is not served yet.
func (FedQuery) QueryInfo(context.Context, id.ServerName, *fedapi.QueryInfoRequest) (*fedapi.QueryInfoResponse, error) {
	return nil, api.Unfinished()
}
