// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.SpaceHierarchy = SpaceHierarchy{}

// SpaceHierarchy stands for space_hierarchy.yaml.
type SpaceHierarchy struct{}

// GetSpaceHierarchy is not served yet.
func (SpaceHierarchy) GetSpaceHierarchy(context.Context, api.Caller, *clientapi.GetSpaceHierarchyRequest) (*clientapi.GetSpaceHierarchyResponse, error) {
	return nil, api.Unfinished()
}
