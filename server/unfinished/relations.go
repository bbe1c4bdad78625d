// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Relations = Relations{}

// Relations stands for relations.yaml.
type Relations struct{}

// GetRelatingEvents is not served yet.
func (Relations) GetRelatingEvents(context.Context, api.Caller, *clientapi.GetRelatingEventsRequest) (*clientapi.GetRelatingEventsResponse, error) {
	return nil, api.Unfinished()
}

// GetRelatingEventsWithRelType is not served yet.
func (Relations) GetRelatingEventsWithRelType(context.Context, api.Caller, *clientapi.GetRelatingEventsWithRelTypeRequest) (*clientapi.GetRelatingEventsWithRelTypeResponse, error) {
	return nil, api.Unfinished()
}

// GetRelatingEventsWithRelTypeAndEventType is not served yet.
func (Relations) GetRelatingEventsWithRelTypeAndEventType(context.Context, api.Caller, *clientapi.GetRelatingEventsWithRelTypeAndEventTypeRequest) (*clientapi.GetRelatingEventsWithRelTypeAndEventTypeResponse, error) {
	return nil, api.Unfinished()
}
