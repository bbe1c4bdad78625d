// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Users = Users{}

// Users stands for users.yaml.
type Users struct{}

// SearchUserDirectory is not served yet.
func (Users) SearchUserDirectory(context.Context, api.Caller, *clientapi.SearchUserDirectoryRequest) (*clientapi.SearchUserDirectoryResponse, error) {
	return nil, api.Unfinished()
}
