// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// connect makes a connection outside of the pool, set up as those in it.
func (e *postgresEngine) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, e.pool.Config().ConnConfig)
	if err != nil {
		return nil, postgresError(err)
	}
	if err := e.checkConnection(ctx, conn); err != nil {
		conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

// A connection is one that a single task keeps for itself, outside of the pool:
// made when it is first used, and made anew when it broke.
type connection struct {
	e    *postgresEngine
	slot chan struct{} // holds one token; whoever has it uses conn
	conn *pgx.Conn
}

func newConnection(e *postgresEngine) *connection {
	return &connection{e: e, slot: make(chan struct{}, 1)}
}

// use lends the connection to fn, one caller at a time. It runs fn again when
// the connection turns out to have been lost meanwhile.
func (c *connection) use(ctx context.Context, fn func(*pgx.Conn) error) error {
	select {
	case c.slot <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.slot }()
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.conn != nil {
		err := fn(c.conn)
		if err == nil || !c.conn.IsClosed() || ctx.Err() != nil {
			return postgresError(err)
		}
		c.conn = nil
	}
	conn, err := c.e.connect(ctx)
	if err != nil {
		return err
	}
	c.conn = conn
	err = fn(conn)
	if conn.IsClosed() {
		c.conn = nil
	}
	return postgresError(err)
}

// close waits for whoever uses the connection, and ends it.
func (c *connection) close() {
	c.slot <- struct{}{}
	defer func() { <-c.slot }()
	if c.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = c.conn.Close(ctx) // one that was lost is closed too
		c.conn = nil
	}
}
