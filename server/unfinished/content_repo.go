// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.ContentRepo = ContentRepo{}

// ContentRepo stands for content-repo.yaml.
type ContentRepo struct{}

// CreateContent is not served yet.
func (ContentRepo) CreateContent(context.Context, api.Caller, *clientapi.CreateContentRequest) (*clientapi.CreateContentResponse, error) {
	return nil, api.Unfinished()
}

// GetConfig is not served yet.
func (ContentRepo) GetConfig(context.Context, api.Caller, *clientapi.GetConfigRequest) (*clientapi.GetConfigResponse, error) {
	return nil, api.Unfinished()
}

// GetContent is not served yet.
func (ContentRepo) GetContent(context.Context, *clientapi.GetContentRequest) (clientapi.GetContentResult, error) {
	return nil, api.Unfinished()
}

// GetContentOverrideName is not served yet.
func (ContentRepo) GetContentOverrideName(context.Context, *clientapi.GetContentOverrideNameRequest) (clientapi.GetContentOverrideNameResult, error) {
	return nil, api.Unfinished()
}

// GetURLPreview is not served yet.
func (ContentRepo) GetURLPreview(context.Context, api.Caller, *clientapi.GetURLPreviewRequest) (*clientapi.GetURLPreviewResponse, error) {
	return nil, api.Unfinished()
}

// GetContentThumbnail is not served yet.
func (ContentRepo) GetContentThumbnail(context.Context, *clientapi.GetContentThumbnailRequest) (clientapi.GetContentThumbnailResult, error) {
	return nil, api.Unfinished()
}

// UploadContent is not served yet.
func (ContentRepo) UploadContent(context.Context, api.Caller, *clientapi.UploadContentRequest) (*clientapi.UploadContentResponse, error) {
	return nil, api.Unfinished()
}

// UploadContentToMXC is not served yet.
func (ContentRepo) UploadContentToMXC(context.Context, api.Caller, *clientapi.UploadContentToMXCRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}
