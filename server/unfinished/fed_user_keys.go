// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.UserKeys = FedUserKeys{}

// FedUserKeys stands for user_keys.yaml.
type FedUserKeys struct{}

// ClaimUserEncryptionKeys is not served yet.
func (FedUserKeys) ClaimUserEncryptionKeys(context.Context, id.ServerName, *fedapi.ClaimUserEncryptionKeysRequest) (*fedapi.ClaimUserEncryptionKeysResponse, error) {
	return nil, api.Unfinished()
}

// QueryUserEncryptionKeys is not served yet.
func (FedUserKeys) QueryUserEncryptionKeys(context.Context, id.ServerName, *fedapi.QueryUserEncryptionKeysRequest) (*fedapi.QueryUserEncryptionKeysResponse, error) {
	return nil, api.Unfinished()
}
