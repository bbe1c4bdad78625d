// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"

	"touchstone.example/api/id"
)

// A UIAuthSession is a row of ui_auth_sessions.
type UIAuthSession struct {
	ID        string    // hash of the session ID that the client has
	Operation string    // the operation that it authorises
	UserID    id.UserID // "" before there is one
	Request   []byte    // request parameters, encrypted
	Completed string    // completed stages, separated by spaces
	Result    string    // result of its completion, "" before
	CreatedAt int64     // milliseconds
}

var (
	qInsertUIAuth = q("insert_ui_auth", `INSERT INTO ui_auth_sessions (session_id, operation, user_id, request, completed, result, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`)
	qUIAuth = q("ui_auth", `SELECT session_id, operation, user_id, request, completed, result, created_at
		FROM ui_auth_sessions WHERE session_id = $1`)
	qLockUIAuth = q("lock_ui_auth", `SELECT session_id, operation, user_id, request, completed, result, created_at
		FROM ui_auth_sessions WHERE session_id = $1 FOR UPDATE`)
	qPutUIAuth = q("put_ui_auth", `UPDATE ui_auth_sessions SET user_id = $2, request = $3, completed = $4, result = $5
		WHERE session_id = $1`)
	qDeleteUIAuth = q("delete_ui_auth", `DELETE FROM ui_auth_sessions WHERE created_at < $1 OR created_at > $2`)
	qOldestUIAuth = q("oldest_ui_auth", `SELECT created_at FROM ui_auth_sessions WHERE user_id = $1
		ORDER BY user_id DESC, created_at DESC LIMIT 1 OFFSET $2`)
	qTrimUIAuth = q("trim_ui_auth", `DELETE FROM ui_auth_sessions WHERE user_id = $1 AND created_at < $2`)
)

// TrimUIAuthSessions removes all but the newest sessions of a user, or of those without
// a user. It reads the sessions that stay.
func (w *Writer) TrimUIAuthSessions(ctx context.Context, user id.UserID, keep int) error {
	var oldest int64
	err := w.row(ctx, qOldestUIAuth, []any{user, keep - 1}, &oldest)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return w.enqueue(ctx, qTrimUIAuth, user, oldest)
}

// InsertUIAuthSession starts a session.
func (w *Writer) InsertUIAuthSession(ctx context.Context, s *UIAuthSession) error {
	return w.enqueue(ctx, qInsertUIAuth, s.ID, s.Operation, s.UserID, insertedSession(s.Request), s.Completed, s.Result, s.CreatedAt)
}

// insertedSession returns bytes that are not NULL.
func insertedSession(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// UIAuthSession returns a session.
func (r *Reader) UIAuthSession(ctx context.Context, sessionID string) (*UIAuthSession, error) {
	return r.uiAuthSession(ctx, qUIAuth, sessionID)
}

// LockUIAuthSession returns a session and locks it until this transaction ends.
func (w *Writer) LockUIAuthSession(ctx context.Context, sessionID string) (*UIAuthSession, error) {
	return w.uiAuthSession(ctx, qLockUIAuth, sessionID)
}

func (r *Reader) uiAuthSession(ctx context.Context, q *query, sessionID string) (*UIAuthSession, error) {
	var s UIAuthSession
	err := r.row(ctx, q, []any{sessionID}, &s.ID, &s.Operation, &s.UserID, &s.Request, &s.Completed, &s.Result, &s.CreatedAt)
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// PutUIAuthSession stores a session's user, parameters, stages and result.
func (w *Writer) PutUIAuthSession(ctx context.Context, s *UIAuthSession) error {
	return w.execOne(ctx, qPutUIAuth, s.ID, s.UserID, insertedSession(s.Request), s.Completed, s.Result)
}

// DeleteUIAuthSessions removes sessions begun before a time, and sessions begun after
// another: these were written by a clock that was ahead.
func (w *Writer) DeleteUIAuthSessions(ctx context.Context, before, after int64) (int64, error) {
	return w.exec(ctx, qDeleteUIAuth, before, after)
}
