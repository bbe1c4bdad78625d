// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
)

var _ clientapi.Receipts = Receipts{}

// Receipts stands for receipts.yaml.
type Receipts struct{}

// PostReceipt is not served yet.
func (Receipts) PostReceipt(context.Context, api.Caller, *clientapi.PostReceiptRequest) (*api.Empty, error) {
	return nil, api.Unfinished()
}
