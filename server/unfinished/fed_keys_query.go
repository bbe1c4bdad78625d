// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.KeysQuery = FedKeysQuery{}

// FedKeysQuery stands for keys_query.yaml.
type FedKeysQuery struct{}

// BulkPerspectivesKeyQuery is not served yet.
func (FedKeysQuery) BulkPerspectivesKeyQuery(context.Context, *fedapi.BulkPerspectivesKeyQueryRequest) (*fedapi.BulkPerspectivesKeyQueryResponse, error) {
	return nil, api.Unfinished()
}

// PerspectivesKeyQuery is not served yet.
func (FedKeysQuery) PerspectivesKeyQuery(context.Context, *fedapi.PerspectivesKeyQueryRequest) (*fedapi.PerspectivesKeyQueryResponse, error) {
	return nil, api.Unfinished()
}
