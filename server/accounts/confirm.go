// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"errors"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/storage"
)

// Confirm has the caller of an operation of another slice prove to be the user,
// with the password. done is part of the transaction that does what was confirmed,
// which a session is good for once.
func (a *Accounts) Confirm(ctx context.Context, who api.Caller, operation string, auth *clientapi.AuthData) (done func(context.Context, *storage.Writer) error, err error) {
	c := challenge{operation: operation, user: who.User, device: who.Device, flow: []string{stagePassword}}
	s, err := a.authenticate(ctx, c, auth)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *storage.Writer) error {
		err := s.recordResult(ctx, tx, "done")
		if errors.Is(err, errSessionUsed) {
			return api.Forbidden("The session has been used")
		}
		return err
	}, nil
}
