// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

var (
	qInsertOpenIDToken = q("insert_openid_token", `INSERT INTO openid_tokens (token_hash, user_id, expires_at) VALUES ($1, $2, $3)`)
	qOpenIDUser        = q("openid_user", `SELECT t.user_id FROM openid_tokens t JOIN users u ON u.user_id = t.user_id
		WHERE t.token_hash = $1 AND t.expires_at > $2 AND u.deactivated_at = 0`)
	qDeleteOpenIDTokens = q("delete_openid_tokens", `DELETE FROM openid_tokens WHERE expires_at <= $1
		AND expires_at <= COALESCE((SELECT o.expires_at FROM openid_tokens o ORDER BY o.expires_at LIMIT 1 OFFSET $2), $1)`)
)

// InsertOpenIDToken stores a token's hash. The token proves a user's identity until a
// time in milliseconds.
func (w *Writer) InsertOpenIDToken(ctx context.Context, hash string, userID id.UserID, expiresAt int64) error {
	return w.enqueue(ctx, qInsertOpenIDToken, hash, userID, expiresAt)
}

// OpenIDUser returns a token's user. ErrNotFound if the token is unknown or has
// expired, or if the account was closed.
func (r *Reader) OpenIDUser(ctx context.Context, hash string, now int64) (userID id.UserID, err error) {
	err = r.row(ctx, qOpenIDUser, []any{hash, now}, &userID)
	return userID, err
}

// DeleteOpenIDTokens deletes expired tokens, the oldest first and about limit of
// them.
func (w *Writer) DeleteOpenIDTokens(ctx context.Context, now int64, limit int) error {
	return w.enqueue(ctx, qDeleteOpenIDTokens, now, int64(limit-1))
}
