// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"fmt"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/storage"
)

// Logout deletes the caller's device and its tokens.
//
// Spec: client-server logout.
func (a *Accounts) Logout(ctx context.Context, who api.Caller, _ *clientapi.LogoutRequest) (*api.Empty, error) {
	return done(a.deleteDevices(ctx, who.User, nil, who.Device))
}

// LogoutAll deletes all the caller's devices and tokens.
//
// Spec: client-server logout_all.
func (a *Accounts) LogoutAll(ctx context.Context, who api.Caller, _ *clientapi.LogoutAllRequest) (*api.Empty, error) {
	err := a.revoking(ctx, who.User, func(tx *storage.Writer) (all []id.DeviceID, err error) {
		rows, err := tx.Devices(ctx, who.User)
		if err != nil {
			return nil, err
		}
		for _, d := range rows {
			all = append(all, d.ID)
		}
		return all, tx.DeleteOtherAccess(ctx, who.User, "", "")
	})
	if err != nil {
		return nil, fmt.Errorf("log %s out: %w", who.User, err)
	}
	return &api.Empty{}, nil
}
