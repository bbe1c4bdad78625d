// SPDX-License-Identifier: Apache-2.0

package storage

import "context"

var (
	qServerInfo    = q("server_info", `SELECT value FROM server_info WHERE name = $1`)
	qPutServerInfo = q("put_server_info", `INSERT INTO server_info (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`)
	qEnsureServerInfo = q("ensure_server_info", `INSERT INTO server_info (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO NOTHING`)
	qPutInstance = q("put_instance", `INSERT INTO instances (instance_id, started_at, seen_at) VALUES ($1, $2, $2)
		ON CONFLICT (instance_id) DO UPDATE SET seen_at = excluded.seen_at`)
	qDeleteInstance  = q("delete_instance", `DELETE FROM instances WHERE instance_id = $1`)
	qDeleteInstances = q("delete_instances", `DELETE FROM instances WHERE seen_at < $1`)
	qInstances       = q("instances", `SELECT instance_id, started_at, seen_at FROM instances ORDER BY instance_id`)
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

// An Instance is one running server on this database.
type Instance struct {
	ID        string
	StartedAt int64 // milliseconds
	SeenAt    int64 // milliseconds
}

// Instances lists the servers that have shown a sign of life.
func (r *Reader) Instances(ctx context.Context) (list []Instance, err error) {
	err = r.rows(ctx, qInstances, nil, func(scan scanFunc) error {
		var i Instance
		if err := scan(&i.ID, &i.StartedAt, &i.SeenAt); err != nil {
			return err
		}
		list = append(list, i)
		return nil
	})
	return list, err
}

// PutInstance shows a sign of life of one server.
func (w *Writer) PutInstance(ctx context.Context, instanceID string, now int64) error {
	return w.enqueue(ctx, qPutInstance, instanceID, now)
}

// DeleteInstance removes one server that stops.
func (w *Writer) DeleteInstance(ctx context.Context, instanceID string) error {
	return w.enqueue(ctx, qDeleteInstance, instanceID)
}

// DeleteInstances removes the servers not seen since a time.
func (w *Writer) DeleteInstances(ctx context.Context, seenBefore int64) error {
	return w.enqueue(ctx, qDeleteInstances, seenBefore)
}
