// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Search = Search{}

// Search stands for search.yaml.
type Search struct{}

// Search is not served yet.
func (Search) Search(context.Context, api.Caller, *clientapi.SearchRequest) (*clientapi.SearchResponse, error) {
	return nil, api.Unfinished()
}
