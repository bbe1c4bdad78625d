// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.SpaceHierarchy = FedSpaceHierarchy{}

// FedSpaceHierarchy stands for space_hierarchy.yaml.
type FedSpaceHierarchy struct{}

// GetSpaceHierarchy is not served yet.
func (FedSpaceHierarchy) GetSpaceHierarchy(context.Context, id.ServerName, *fedapi.GetSpaceHierarchyRequest) (*fedapi.GetSpaceHierarchyResponse, error) {
	return nil, api.Unfinished()
}
