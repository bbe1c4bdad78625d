// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.AccountDeactivation = AccountDeactivation{}

// AccountDeactivation stands for account_deactivation.yaml.
type AccountDeactivation struct{}

// DeactivateAccount is not served yet.
func (AccountDeactivation) DeactivateAccount(context.Context, *api.Caller, *clientapi.DeactivateAccountRequest) (*clientapi.DeactivateAccountResponse, error) {
	return nil, api.Unfinished()
}
