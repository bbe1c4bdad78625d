// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Voip = Voip{}

// Voip stands for voip.yaml.
type Voip struct{}

// GetTurnServer is not served yet.
func (Voip) GetTurnServer(context.Context, api.Caller, *clientapi.GetTurnServerRequest) (*clientapi.GetTurnServerResponse, error) {
	return nil, api.Unfinished()
}
