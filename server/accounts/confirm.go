// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"errors"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/storage"
)

// Confirm asks the caller of another slice's operation for user-interactive
// authentication with the password. done must be called in the transaction that does
// the operation: a session can be used once.
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
