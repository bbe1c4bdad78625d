// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

// GetTokenOwner tells a client who it is.
//
// Spec: client-server getTokenOwner.
func (a *Accounts) GetTokenOwner(_ context.Context, who api.Caller, _ *clientapi.GetTokenOwnerRequest) (*clientapi.GetTokenOwnerResponse, error) {
	out := &clientapi.GetTokenOwnerResponse{UserID: who.User, IsGuest: api.Some(who.Guest)}
	if who.Device != "" {
		out.DeviceID = api.Some(string(who.Device))
	}
	return out, nil
}
