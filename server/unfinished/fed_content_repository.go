// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.ContentRepository = FedContentRepository{}

// FedContentRepository stands for content_repository.yaml.
type FedContentRepository struct{}

// GetContent is not served yet.
func (FedContentRepository) GetContent(context.Context, id.ServerName, *fedapi.GetContentRequest) (fedapi.GetContentResult, error) {
	return nil, api.Unfinished()
}

// GetContentThumbnail is not served yet.
func (FedContentRepository) GetContentThumbnail(context.Context, id.ServerName, *fedapi.GetContentThumbnailRequest) (fedapi.GetContentThumbnailResult, error) {
	return nil, api.Unfinished()
}
