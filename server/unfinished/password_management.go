// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.PasswordManagement = PasswordManagement{}

// PasswordManagement stands for password_management.yaml.
type PasswordManagement struct{}

// ChangePassword is not served yet.
func (PasswordManagement) ChangePassword(context.Context, *api.Caller, *clientapi.ChangePasswordRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// RequestTokenToResetPasswordEmail is not served yet.
func (PasswordManagement) RequestTokenToResetPasswordEmail(context.Context, *clientapi.RequestTokenToResetPasswordEmailRequest) (*clientapi.RequestTokenToResetPasswordEmailResponse, error) {
	return nil, api.Unfinished()
}

// RequestTokenToResetPasswordMSISDN is not served yet.
func (PasswordManagement) RequestTokenToResetPasswordMSISDN(context.Context, *clientapi.RequestTokenToResetPasswordMSISDNRequest) (*clientapi.RequestTokenToResetPasswordMSISDNResponse, error) {
	return nil, api.Unfinished()
}
