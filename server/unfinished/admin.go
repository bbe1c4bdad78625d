// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Admin = Admin{}

// Admin stands for admin.yaml.
type Admin struct{}

// GetAdminLockUser is not served yet.
func (Admin) GetAdminLockUser(context.Context, api.Caller, *clientapi.GetAdminLockUserRequest) (*clientapi.GetAdminLockUserResponse, error) {
	return nil, api.Unfinished()
}

// SetAdminLockUser is not served yet.
func (Admin) SetAdminLockUser(context.Context, api.Caller, *clientapi.SetAdminLockUserRequest) (*clientapi.SetAdminLockUserResponse, error) {
	return nil, api.Unfinished()
}

// GetAdminSuspendUser is not served yet.
func (Admin) GetAdminSuspendUser(context.Context, api.Caller, *clientapi.GetAdminSuspendUserRequest) (*clientapi.GetAdminSuspendUserResponse, error) {
	return nil, api.Unfinished()
}

// SetAdminSuspendUser is not served yet.
func (Admin) SetAdminSuspendUser(context.Context, api.Caller, *clientapi.SetAdminSuspendUserRequest) (*clientapi.SetAdminSuspendUserResponse, error) {
	return nil, api.Unfinished()
}

// GetWhoIs is not served yet.
func (Admin) GetWhoIs(context.Context, api.Caller, *clientapi.GetWhoIsRequest) (*clientapi.GetWhoIsResponse, error) {
	return nil, api.Unfinished()
}
