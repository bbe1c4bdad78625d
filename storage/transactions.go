// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// A TxnKey identifies a request with a transaction ID: a repeated one is the same
// request and gets the same answer.
type TxnKey struct {
	UserID    id.UserID
	DeviceID  id.DeviceID
	Operation string // the endpoint with its path parameters
	TxnID     string
}

// A TxnResult is what a request with a transaction id led to.
type TxnResult struct {
	EventNID int64  // the event it sent; 0 for none
	Answer   []byte // the body it was answered with; empty if it is made from the event
}

var (
	qClaimTxn = q("claim_txn", `INSERT INTO transactions (user_id, device_id, operation, txn_id, event_nid, answer, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (user_id, device_id, operation, txn_id) DO NOTHING`)
	qTxn = q("txn", `SELECT event_nid, answer FROM transactions
		WHERE user_id = $1 AND device_id = $2 AND operation = $3 AND txn_id = $4`)
	// Search by event only: with the device PostgreSQL would read all that the device
	// has sent.
	qTxnIDs = q("txn_ids", `SELECT event_nid, user_id, device_id, txn_id FROM transactions
		WHERE event_nid = ANY($1) AND event_nid <> 0`)
	qTxnDevice      = q("txn_device", `SELECT device_id FROM transactions WHERE user_id = $1 AND device_id > $2 ORDER BY device_id LIMIT 1`)
	qDeleteTxnsUpTo = q("delete_txns_up_to", `DELETE FROM transactions WHERE user_id = $1 AND device_id = $2 AND (operation, txn_id) <=
		(SELECT t.operation, t.txn_id FROM transactions t WHERE t.user_id = $1 AND t.device_id = $2
			ORDER BY t.operation, t.txn_id LIMIT 1 OFFSET $3)
		AND NOT EXISTS (SELECT d.device_id FROM devices d WHERE d.user_id = $1 AND d.device_id = $2)`)
	qDeleteTxnsOf = q("delete_txns_of", `DELETE FROM transactions WHERE user_id = $1 AND device_id = $2
		AND NOT EXISTS (SELECT d.device_id FROM devices d WHERE d.user_id = $1 AND d.device_id = $2)`)
	qDeleteTxns = q("delete_txns", `DELETE FROM transactions WHERE created_at < $1 AND created_at <= COALESCE(
		(SELECT created_at FROM transactions WHERE created_at < $1 ORDER BY created_at LIMIT 1 OFFSET $2), $1)`)
)

// ClaimTxn stores a request's answer. If an earlier request has the transaction ID, the
// transaction fails with ErrExists, perhaps only with a later statement or the commit.
func (w *Writer) ClaimTxn(ctx context.Context, k TxnKey, res TxnResult, now int64) error {
	answer := res.Answer
	if answer == nil {
		answer = []byte{}
	}
	return w.enqueueMust(ctx, qClaimTxn, ErrExists, k.UserID, k.DeviceID, k.Operation, k.TxnID, res.EventNID, answer, now)
}

// Txn returns a request's result, ErrNotFound if the request is new.
func (r *Reader) Txn(ctx context.Context, k TxnKey) (res TxnResult, err error) {
	err = r.row(ctx, qTxn, []any{k.UserID, k.DeviceID, k.Operation, k.TxnID}, &res.EventNID, &res.Answer)
	return res, err
}

// TxnIDs returns the transaction IDs with which a device sent events; they are shown to
// that device as unsigned.transaction_id.
func (r *Reader) TxnIDs(ctx context.Context, userID id.UserID, deviceID id.DeviceID, eventNIDs []int64) (map[int64]string, error) {
	ids := map[int64]string{}
	err := r.rows(ctx, qTxnIDs, []any{eventNIDs}, func(scan scanFunc) error {
		var nid int64
		var user, device, txnID Text
		err := scan(&nid, &user, &device, &txnID)
		if id.UserID(user) == userID && id.DeviceID(device) == deviceID {
			ids[nid] = string(txnID)
		}
		return err
	})
	return ids, err
}

// TxnDevice returns the first device after one by name that a user's transaction
// ids are of, whether it exists or not; ErrNotFound when there is none.
func (r *Reader) TxnDevice(ctx context.Context, userID id.UserID, after id.DeviceID) (id.DeviceID, error) {
	var deviceID Text
	err := r.row(ctx, qTxnDevice, []any{userID, after}, &deviceID)
	return id.DeviceID(deviceID), err
}

// DeleteTxnsOf forgets requests of a device that does not exist, no more than limit
// at once, and says how many. A later device of the same name may use their
// transaction ids anew.
func (w *Writer) DeleteTxnsOf(ctx context.Context, userID id.UserID, deviceID id.DeviceID, limit int) (int64, error) {
	n, err := w.exec(ctx, qDeleteTxnsUpTo, userID, deviceID, int64(limit-1))
	if err != nil || n > 0 {
		return n, err
	}
	return w.exec(ctx, qDeleteTxnsOf, userID, deviceID) // there are fewer
}

// DeleteTxns forgets requests made before a time, the oldest times first and
// whole, and says how many: fewer than limit when nothing is left.
func (w *Writer) DeleteTxns(ctx context.Context, before int64, limit int) (int64, error) {
	return w.exec(ctx, qDeleteTxns, before, int64(limit-1))
}
