// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.SSOLoginRedirect = SSOLoginRedirect{}

// SSOLoginRedirect stands for sso_login_redirect.yaml.
type SSOLoginRedirect struct{}

// RedirectToSSO is not served yet.
func (SSOLoginRedirect) RedirectToSSO(context.Context, *clientapi.RedirectToSSORequest) (clientapi.RedirectToSSOResult, error) {
	return nil, api.Unfinished()
}

// RedirectToIDP is not served yet.
func (SSOLoginRedirect) RedirectToIDP(context.Context, *clientapi.RedirectToIDPRequest) (clientapi.RedirectToIDPResult, error) {
	return nil, api.Unfinished()
}
