// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Notifications = Notifications{}

// Notifications stands for notifications.yaml.
type Notifications struct{}

// GetNotifications is not served yet.
func (Notifications) GetNotifications(context.Context, api.Caller, *clientapi.GetNotificationsRequest) (*clientapi.GetNotificationsResponse, error) {
	return nil, api.Unfinished()
}
