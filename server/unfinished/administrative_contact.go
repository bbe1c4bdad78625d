// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.AdministrativeContact = AdministrativeContact{}

// AdministrativeContact stands for administrative_contact.yaml.
type AdministrativeContact struct{}

// GetAccount3PIDs is not served yet.
func (AdministrativeContact) GetAccount3PIDs(context.Context, api.Caller, *clientapi.GetAccount3PIDsRequest) (*clientapi.GetAccount3PIDsResponse, error) {
	return nil, api.Unfinished()
}

// Post3PIDs is not served yet.
func (AdministrativeContact) Post3PIDs(context.Context, api.Caller, *clientapi.Post3PIDsRequest) (*clientapi.Post3PIDsResponse, error) {
	return nil, api.Unfinished()
}

// Add3PID is not served yet.
func (AdministrativeContact) Add3PID(context.Context, api.Caller, *clientapi.Add3PIDRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// Bind3PID is not served yet.
func (AdministrativeContact) Bind3PID(context.Context, api.Caller, *clientapi.Bind3PIDRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// Delete3pidFromAccount is not served yet.
func (AdministrativeContact) Delete3pidFromAccount(context.Context, api.Caller, *clientapi.Delete3pidFromAccountRequest) (*clientapi.Delete3pidFromAccountResponse, error) {
	return nil, api.Unfinished()
}

// RequestTokenTo3PIDEmail is not served yet.
func (AdministrativeContact) RequestTokenTo3PIDEmail(context.Context, *clientapi.RequestTokenTo3PIDEmailRequest) (*clientapi.RequestTokenTo3PIDEmailResponse, error) {
	return nil, api.Unfinished()
}

// RequestTokenTo3PIDMSISDN is not served yet.
func (AdministrativeContact) RequestTokenTo3PIDMSISDN(context.Context, *clientapi.RequestTokenTo3PIDMSISDNRequest) (*clientapi.RequestTokenTo3PIDMSISDNResponse, error) {
	return nil, api.Unfinished()
}

// Unbind3pidFromAccount is not served yet.
func (AdministrativeContact) Unbind3pidFromAccount(context.Context, api.Caller, *clientapi.Unbind3pidFromAccountRequest) (*clientapi.Unbind3pidFromAccountResponse, error) {
	return nil, api.Unfinished()
}
