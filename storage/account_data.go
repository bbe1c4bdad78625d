// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// An AccountData is a row of account_data.
type AccountData struct {
	UserID  id.UserID
	RoomNID int64 // 0 for global data
	Type    string
	Content []byte // JSON; empty when deleted
	Pos     int64
}

const accountDataColumns = `user_id, room_nid, type, content, pos`

var (
	qPutAccountData = q("put_account_data", `INSERT INTO account_data (`+accountDataColumns+`) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (user_id, room_nid, type) DO UPDATE SET content = excluded.content, pos = excluded.pos`)
	qLockAccountData = q("lock_account_data", `INSERT INTO account_data (`+accountDataColumns+`) VALUES ($1, $2, $3, $4, 0)
		ON CONFLICT (user_id, room_nid, type) DO UPDATE SET pos = account_data.pos`)
	qAccountData   = q("account_data", `SELECT `+accountDataColumns+` FROM account_data WHERE user_id = $1 AND room_nid = $2 AND type = $3`)
	qAccountDataOf = q("account_data_of", `SELECT `+accountDataColumns+` FROM account_data
		WHERE user_id = $1 AND room_nid = 0 AND type = ANY($2)`)
	qAccountDataSince = q("account_data_since", `SELECT `+accountDataColumns+` FROM account_data
		WHERE user_id = $1 AND pos > $2 AND pos <= $3 ORDER BY room_nid, type`)
)

// PutAccountData sets the account data of one type. Deleted data stays as an empty row,
// so that clients are told of the deletion. Whom a user ignores decides about
// notifications as the push rules do.
func (w *Writer) PutAccountData(ctx context.Context, d *AccountData) error {
	content := d.Content
	if content == nil {
		content = []byte{}
	}
	if d.Type == "m.ignored_user_list" && d.RoomNID == 0 {
		if err := w.ChangeRules(ctx, d.UserID); err != nil {
			return err
		}
	}
	return w.enqueue(ctx, qPutAccountData, d.UserID, d.RoomNID, d.Type, content, d.Pos)
}

// LockAccountData returns one kind of data, empty where there is none, and lets
// nobody else change it before the transaction ends.
func (w *Writer) LockAccountData(ctx context.Context, userID id.UserID, roomNID int64, typ string) (*AccountData, error) {
	if _, err := w.exec(ctx, qLockAccountData, userID, roomNID, typ, []byte{}); err != nil {
		return nil, err
	}
	return w.AccountData(ctx, userID, roomNID, typ)
}

// AccountData returns one kind of data, ErrNotFound when it was never set. Its
// content is empty when it was deleted.
func (r *Reader) AccountData(ctx context.Context, userID id.UserID, roomNID int64, typ string) (*AccountData, error) {
	var d AccountData
	err := d.scan(func(dst ...any) error { return r.row(ctx, qAccountData, []any{userID, roomNID, typ}, dst...) })
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// AccountDataOf lists what a user has set of several kinds of global data.
func (r *Reader) AccountDataOf(ctx context.Context, userID id.UserID, types ...string) ([]*AccountData, error) {
	return r.accountData(ctx, qAccountDataOf, userID, types)
}

// AccountDataSince lists a user's data, of all rooms and global, that was set
// in (after, upTo].
func (r *Reader) AccountDataSince(ctx context.Context, userID id.UserID, after, upTo int64) ([]*AccountData, error) {
	return r.accountData(ctx, qAccountDataSince, userID, after, upTo)
}

func (r *Reader) accountData(ctx context.Context, q *query, args ...any) (list []*AccountData, err error) {
	err = r.rows(ctx, q, args, func(scan scanFunc) error {
		d := new(AccountData)
		list = append(list, d)
		return d.scan(scan)
	})
	return list, err
}

func (d *AccountData) scan(scan scanFunc) error {
	var typ Text
	err := scan(&d.UserID, &d.RoomNID, &typ, &d.Content, &d.Pos)
	d.Type = string(typ)
	return err
}
