// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.AuthedContentRepo = AuthedContentRepo{}

// AuthedContentRepo stands for authed-content-repo.yaml.
type AuthedContentRepo struct{}

// GetConfigAuthed is not served yet.
func (AuthedContentRepo) GetConfigAuthed(context.Context, api.Caller, *clientapi.GetConfigAuthedRequest) (*clientapi.GetConfigAuthedResponse, error) {
	return nil, api.Unfinished()
}

// GetContentAuthed is not served yet.
func (AuthedContentRepo) GetContentAuthed(context.Context, api.Caller, *clientapi.GetContentAuthedRequest) (clientapi.GetContentAuthedResult, error) {
	return nil, api.Unfinished()
}

// GetContentOverrideNameAuthed is not served yet.
func (AuthedContentRepo) GetContentOverrideNameAuthed(context.Context, api.Caller, *clientapi.GetContentOverrideNameAuthedRequest) (clientapi.GetContentOverrideNameAuthedResult, error) {
	return nil, api.Unfinished()
}

// GetURLPreviewAuthed is not served yet.
func (AuthedContentRepo) GetURLPreviewAuthed(context.Context, api.Caller, *clientapi.GetURLPreviewAuthedRequest) (*clientapi.GetURLPreviewAuthedResponse, error) {
	return nil, api.Unfinished()
}

// GetContentThumbnailAuthed is not served yet.
func (AuthedContentRepo) GetContentThumbnailAuthed(context.Context, api.Caller, *clientapi.GetContentThumbnailAuthedRequest) (clientapi.GetContentThumbnailAuthedResult, error) {
	return nil, api.Unfinished()
}
