// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.KeysServer = FedKeysServer{}

// FedKeysServer stands for keys_server.yaml.
type FedKeysServer struct{}

// GetServerKey is not served yet.
func (FedKeysServer) GetServerKey(context.Context, *fedapi.GetServerKeyRequest) (*fedapi.GetServerKeyResponse, error) {
	return nil, api.Unfinished()
}
