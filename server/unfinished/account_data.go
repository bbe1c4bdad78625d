// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.AccountData = AccountData{}

// AccountData stands for account-data.yaml.
type AccountData struct{}

// GetAccountData is not served yet.
func (AccountData) GetAccountData(context.Context, api.Caller, *clientapi.GetAccountDataRequest) (*clientapi.GetAccountDataResponse, error) {
	return nil, api.Unfinished()
}

// SetAccountData is not served yet.
func (AccountData) SetAccountData(context.Context, api.Caller, *clientapi.SetAccountDataRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// GetAccountDataPerRoom is not served yet.
func (AccountData) GetAccountDataPerRoom(context.Context, api.Caller, *clientapi.GetAccountDataPerRoomRequest) (*clientapi.GetAccountDataPerRoomResponse, error) {
	return nil, api.Unfinished()
}

// SetAccountDataPerRoom is not served yet.
func (AccountData) SetAccountDataPerRoom(context.Context, api.Caller, *clientapi.SetAccountDataPerRoomRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}
