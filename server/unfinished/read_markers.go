// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.ReadMarkers = ReadMarkers{}

// ReadMarkers stands for read_markers.yaml.
type ReadMarkers struct{}

// SetReadMarker is not served yet.
func (ReadMarkers) SetReadMarker(context.Context, api.Caller, *clientapi.SetReadMarkerRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}
