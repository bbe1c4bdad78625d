// SPDX-License-Identifier: Apache-2.0

package unfinished

import (
	"context"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/fedapi"
)

var _ fedapi.Transactions = FedTransactions{}

// FedTransactions stands for transactions.yaml.
type FedTransactions struct{}

// SendTransaction is not served yet.
func (FedTransactions) SendTransaction(context.Context, id.ServerName, *fedapi.SendTransactionRequest) (*fedapi.SendTransactionResponse, error) {
	return nil, api.Unfinished()
}
