// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// A UIAuthSession is a row of ui_auth_sessions.
type UIAuthSession struct {
	ID        string
	Operation string    // what it authorises, and nothing else
	UserID    id.UserID // "" before there is one
	Request   []byte    // the first request's body
	Completed string    // stages, with a space between
	Result    string    // what completing it made, "" until then
	CreatedAt int64     // milliseconds
}

var (
	qInsertUIAuth = q("insert_ui_auth", `INSERT INTO ui_auth_sessions (session_id, operation, user_id, request, completed, result, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`)
	qUIAuth = q("ui_auth", `SELECT session_id, operation, user_id, request, completed, result, created_at
		FROM ui_auth_sessions WHERE session_id = $1 FOR UPDATE`)
	qPutUIAuth    = q("put_ui_auth", `UPDATE ui_auth_sessions SET user_id = $2, completed = $3, result = $4 WHERE session_id = $1`)
	qDeleteUIAuth = q("delete_ui_auth", `DELETE FROM ui_auth_sessions WHERE created_at < $1`)
)

// InsertUIAuthSession starts a session.
func (w *Writer) InsertUIAuthSession(ctx context.Context, s *UIAuthSession) error {
	request := s.Request
	if request == nil {
		request = []byte{}
	}
	return w.later(ctx, qInsertUIAuth, s.ID, s.Operation, s.UserID, request, s.Completed, s.Result, s.CreatedAt)
}

// UIAuthSession returns a session and keeps others from changing it until this
// transaction ends.
func (w *Writer) UIAuthSession(ctx context.Context, sessionID string) (*UIAuthSession, error) {
	var s UIAuthSession
	err := w.row(ctx, qUIAuth, []any{sessionID}, &s.ID, &s.Operation, &s.UserID, &s.Request, &s.Completed, &s.Result, &s.CreatedAt)
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// PutUIAuthSession stores how far a session has come: its user, stages and result.
func (w *Writer) PutUIAuthSession(ctx context.Context, s *UIAuthSession) error {
	return w.mustTouch(ctx, qPutUIAuth, s.ID, s.UserID, s.Completed, s.Result)
}

// DeleteUIAuthSessions removes those begun before a time.
func (w *Writer) DeleteUIAuthSessions(ctx context.Context, before int64) (int64, error) {
	return w.exec(ctx, qDeleteUIAuth, before)
}
