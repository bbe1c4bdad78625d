// SPDX-License-Identifier: Apache-2.0

package storage

import "context"

var (
	qServerInfo    = q("server_info", `SELECT value FROM server_info WHERE name = $1`)
	qPutServerInfo = q("put_server_info", `INSERT INTO server_info (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`)
	qEnsureServerInfo = q("ensure_server_info", `INSERT INTO server_info (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO NOTHING`)
)

// ServerInfo returns one of the server's own values.
func (r *Reader) ServerInfo(ctx context.Context, name string) (string, error) {
	var value Text
	err := r.row(ctx, qServerInfo, []any{name}, &value)
	return string(value), err
}

// PutServerInfo sets one of the server's own values.
func (w *Writer) PutServerInfo(ctx context.Context, name, value string) error {
	return w.enqueue(ctx, qPutServerInfo, name, value)
}

// EnsureServerInfo sets one of the server's own values if it is not set yet, and
// returns it.
func (w *Writer) EnsureServerInfo(ctx context.Context, name, value string) (string, error) {
	if err := w.enqueue(ctx, qEnsureServerInfo, name, value); err != nil {
		return "", err
	}
	return w.ServerInfo(ctx, name)
}
