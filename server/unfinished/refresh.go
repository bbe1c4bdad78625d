// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Refresh = Refresh{}

// Refresh stands for refresh.yaml.
type Refresh struct{}

// Refresh is not served yet.
func (Refresh) Refresh(context.Context, *clientapi.RefreshRequest) (*clientapi.RefreshResponse, error) {
	return nil, api.Unfinished()
}
