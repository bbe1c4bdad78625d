// SPDX-License-Identifier: Apache-2.0

package storage

import "context"

// The tests run queries of their own, which are not registered.

type Query = query

func NewQuery(name, text string) *Query {
	return &query{name: name, text: text, lite: liteSQL(text), any: arrayParams(text)}
}

func (r *Reader) Row(ctx context.Context, q *Query, args []any, dst ...any) error {
	return r.row(ctx, q, args, dst...)
}

func (r *Reader) Rows(ctx context.Context, q *Query, args []any, each func(scan func(...any) error) error) error {
	return r.rows(ctx, q, args, each)
}

func (w *Writer) Exec(ctx context.Context, q *Query, args ...any) (int64, error) {
	return w.exec(ctx, q, args...)
}

func (w *Writer) Later(ctx context.Context, q *Query, args ...any) error {
	return w.later(ctx, q, args...)
}

var (
	LiteDDL    = liteDDL
	PgDDL      = pgDDL
	Statements = statements
)
