// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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

// checkConnection looks at a new connection. It has none to another cluster than the
// one that was opened, nor to that one after it was put back to an earlier time
// or its tables were made anew: what is in memory is of another history. A commit is on the disk when it is
// answered, whatever the cluster's default: what is lost after clients have
// heard of it is lost silently.
func (e *postgresEngine) checkConnection(ctx context.Context, conn *pgx.Conn) error {
	var cluster string
	err := conn.QueryRow(ctx, dPgCluster.text).Scan(&cluster)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && slices.Contains(pgUnsupported, refused.Code) {
		cluster, err = unknownCluster, nil
	}
	if err != nil {
		return fmt.Errorf("which cluster it is: %w", postgresError(err))
	}
	if e.cluster == "" {
		e.cluster = cluster
	}
	// The right to ask may have been granted or revoked since.
	if e.cluster != cluster && e.cluster != unknownCluster && cluster != unknownCluster {
		return ErrHistory
	}
	if opened := e.tables.Load(); opened != nil {
		if tables, err := tablesOf(ctx, conn); err != nil {
			return err
		} else if tables != *opened {
			return ErrHistory
		}
	}
	_, err = conn.Exec(ctx, dPgSynchronous.text)
	return err
}

// unknownCluster is the cluster of a service that does not tell.
const unknownCluster = "cluster"

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
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == pgTooManyConnections {
		return c.borrow(ctx, fn)
	}
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

// borrow runs fn on a connection of the pool, as long as PostgreSQL has no room for
// another one: without these tasks nobody hears of anything.
func (c *connection) borrow(ctx context.Context, fn func(*pgx.Conn) error) error {
	conn, err := c.e.pool.Acquire(ctx)
	if err != nil {
		return postgresError(err)
	}
	defer conn.Release()
	return postgresError(fn(conn.Conn()))
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
