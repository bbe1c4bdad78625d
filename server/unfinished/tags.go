// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Tags = Tags{}

// Tags stands for tags.yaml.
type Tags struct{}

// GetRoomTags is not served yet.
func (Tags) GetRoomTags(context.Context, api.Caller, *clientapi.GetRoomTagsRequest) (*clientapi.GetRoomTagsResponse, error) {
	return nil, api.Unfinished()
}

// DeleteRoomTag is not served yet.
func (Tags) DeleteRoomTag(context.Context, api.Caller, *clientapi.DeleteRoomTagRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// SetRoomTag is not served yet.
func (Tags) SetRoomTag(context.Context, api.Caller, *clientapi.SetRoomTagRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}
