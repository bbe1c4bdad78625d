// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.OAuthServerMetadata = OAuthServerMetadata{}

// OAuthServerMetadata stands for oauth_server_metadata.yaml.
type OAuthServerMetadata struct{}

// GetAuthMetadata is not served yet.
func (OAuthServerMetadata) GetAuthMetadata(context.Context, *clientapi.GetAuthMetadataRequest) (*clientapi.GetAuthMetadataResponse, error) {
	return nil, api.Unfinished()
}
