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

// connect makes a connection outside the pool, configured like those in it.
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

// checkConnection refuses a new connection to another cluster than the one that was
// opened, or to the same one after it was restored or its tables were recreated: what
// is in memory would not match. It also makes commits wait for the disk, whatever the
// cluster's default, since an acknowledged change must not be lost.
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
	// The permission to read it may have been granted or revoked since.
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

// unknownCluster stands for the cluster of a service that does not permit asking for
// it.
const unknownCluster = "cluster"

// A connection is a connection outside the pool, for one task. It is made when first
// used and again when it was lost.
type connection struct {
	e    *postgresEngine
	slot chan struct{} // holds one token; the goroutine that has it uses conn
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

// borrow runs fn on a connection of the pool, if PostgreSQL has no room for another
// one: without this task no client would get any news.
func (c *connection) borrow(ctx context.Context, fn func(*pgx.Conn) error) error {
	conn, err := c.e.pool.Acquire(ctx)
	if err != nil {
		return postgresError(err)
	}
	defer conn.Release()
	return postgresError(fn(conn.Conn()))
}

// close waits until the connection is free, and closes it.
func (c *connection) close() {
	c.slot <- struct{}{}
	defer func() { <-c.slot }()
	if c.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = c.conn.Close(ctx) // a lost connection is closed already
		c.conn = nil
	}
}
