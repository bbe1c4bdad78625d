// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.ThreadsList = ThreadsList{}

// ThreadsList stands for threads_list.yaml.
type ThreadsList struct{}

// GetThreadRoots is not served yet.
func (ThreadsList) GetThreadRoots(context.Context, api.Caller, *clientapi.GetThreadRootsRequest) (*clientapi.GetThreadRootsResponse, error) {
	return nil, api.Unfinished()
}
