// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.CrossSigning = CrossSigning{}

// CrossSigning stands for cross_signing.yaml.
type CrossSigning struct{}

// UploadCrossSigningKeys is not served yet.
func (CrossSigning) UploadCrossSigningKeys(context.Context, api.Caller, *clientapi.UploadCrossSigningKeysRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// UploadCrossSigningSignatures is not served yet.
func (CrossSigning) UploadCrossSigningSignatures(context.Context, api.Caller, *clientapi.UploadCrossSigningSignaturesRequest) (*clientapi.UploadCrossSigningSignaturesResponse, error) {
	return nil, api.Unfinished()
}
