// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.ReportContent = ReportContent{}

// ReportContent stands for report_content.yaml.
type ReportContent struct{}

// ReportRoom is not served yet.
func (ReportContent) ReportRoom(context.Context, api.Caller, *clientapi.ReportRoomRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// ReportEvent is not served yet.
func (ReportContent) ReportEvent(context.Context, api.Caller, *clientapi.ReportEventRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}

// ReportUser is not served yet.
func (ReportContent) ReportUser(context.Context, api.Caller, *clientapi.ReportUserRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}
