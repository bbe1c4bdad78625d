// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Typing = Typing{}

// Typing stands for typing.yaml.
type Typing struct{}

// SetTyping is not served yet.
func (Typing) SetTyping(context.Context, api.Caller, *clientapi.SetTypingRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}
