// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.ThirdPartyLookup = ThirdPartyLookup{}

// ThirdPartyLookup stands for third_party_lookup.yaml.
type ThirdPartyLookup struct{}

// QueryLocationByAlias is not served yet.
func (ThirdPartyLookup) QueryLocationByAlias(context.Context, api.Caller, *clientapi.QueryLocationByAliasRequest) (*clientapi.QueryLocationByAliasResponse, error) {
	return nil, api.Unfinished()
}

// QueryLocationByProtocol is not served yet.
func (ThirdPartyLookup) QueryLocationByProtocol(context.Context, api.Caller, *clientapi.QueryLocationByProtocolRequest) (*clientapi.QueryLocationByProtocolResponse, error) {
	return nil, api.Unfinished()
}

// GetProtocolMetadata is not served yet.
func (ThirdPartyLookup) GetProtocolMetadata(context.Context, api.Caller, *clientapi.GetProtocolMetadataRequest) (*clientapi.GetProtocolMetadataResponse, error) {
	return nil, api.Unfinished()
}

// GetProtocols is not served yet.
func (ThirdPartyLookup) GetProtocols(context.Context, api.Caller, *clientapi.GetProtocolsRequest) (*clientapi.GetProtocolsResponse, error) {
	return nil, api.Unfinished()
}

// QueryUserByID is not served yet.
func (ThirdPartyLookup) QueryUserByID(context.Context, api.Caller, *clientapi.QueryUserByIDRequest) (*clientapi.QueryUserByIDResponse, error) {
	return nil, api.Unfinished()
}

// QueryUserByProtocol is not served yet.
func (ThirdPartyLookup) QueryUserByProtocol(context.Context, api.Caller, *clientapi.QueryUserByProtocolRequest) (*clientapi.QueryUserByProtocolResponse, error) {
	return nil, api.Unfinished()
}
