// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// How several servers on one PostgreSQL find out up to which stream position all
// transactions have ended. Package feed calls this; on SQLite, which has one server,
// only LastPosition is supported. It uses connections of its own, so that slow
// snapshots in the pool do not delay the stream.

// A Fence separates the transactions that may have drawn a position up to
// Position from later ones: the former have an id below ID.
type Fence struct {
	Position int64
	ID       int64
	// Oldest is the ID of the oldest transaction of the cluster at the last check.
	Oldest int64
	// Changes are the changes up to Position; IncludesAll says that the fence was
	// passed when it was taken and that all of them were read.
	Changes     []Change
	IncludesAll bool
	passed      bool
}

// queryTimeout bounds a query on the shared connection. A caller that gives up sooner
// does not break the connection for others.
const queryTimeout = 5 * time.Second

// LastPosition returns the last position that any server drew.
func (db *DB) LastPosition(ctx context.Context) (pos int64, err error) {
	e, ok := db.engine.(*postgresEngine)
	if !ok {
		err := db.Read(ctx, func(r *Reader) error { return r.row(ctx, qLastPosition, nil, &pos) })
		return pos, err
	}
	err = e.queryConn.use(ctx, func(conn *pgx.Conn) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
		defer cancel()
		return conn.QueryRow(ctx, dPgLastPosition.text).Scan(&pos)
	})
	return pos, err
}

// Progress returns the last position that any server drew, and the epoch.
func (db *DB) Progress(ctx context.Context) (pos, epoch int64, err error) {
	e, err := db.postgres()
	if err != nil {
		return 0, 0, err
	}
	err = e.queryConn.use(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, dPgProgress.text).Scan(&pos, &epoch)
	})
	return pos, epoch, err
}

// TakeFence takes a fence after the positions drawn so far. The order of its statements
// matters: first the position, then the transaction ID, and the changes only when the
// transactions before it have ended. It also returns the changes after a position,
// unless there are limit or more. While the oldest transaction of the cluster is the
// given one, which is known not to write to changes, only transactions with a lock on
// changes are waited for.
func (db *DB) TakeFence(ctx context.Context, after int64, limit int, foreign int64) (f Fence, err error) {
	e, err := db.postgres()
	if err != nil {
		return f, err
	}
	err = e.fencing.use(ctx, func(conn *pgx.Conn) error {
		batch := &pgx.Batch{}
		batch.Queue(dPgLastPosition.text).QueryRow(func(row pgx.Row) error { return row.Scan(&f.Position) })
		batch.Queue(dPgFenceID.text).QueryRow(func(row pgx.Row) error { return row.Scan(&f.ID) })
		batch.Queue(dPgOldestID.text).QueryRow(func(row pgx.Row) error {
			err := row.Scan(&f.Oldest)
			f.passed = f.Oldest >= f.ID
			return err
		})
		if foreign != 0 {
			batch.Queue(dPgWriters.text).Query(func(rows pgx.Rows) error {
				gone, err := f.writersGone(rows)
				f.passed = f.passed || f.Oldest == foreign && gone
				return err
			})
		}
		batch.Queue(dPgNewChanges.text, after, int64(limit)).Query(func(rows pgx.Rows) error {
			changes, err := scanChanges(rows)
			if f.IncludesAll = f.passed && len(changes) < limit; f.IncludesAll {
				f.Changes = slices.DeleteFunc(changes, func(c Change) bool { return c.Pos > f.Position })
			}
			return err
		})
		return conn.SendBatch(ctx, batch).Close()
	})
	return f, err
}

// FencePassed reports whether every transaction before the fence has ended: all
// transactions of the cluster, or, after the feed's timeout, only those that hold the
// lock on changes which ReservePosition takes.
func (db *DB) FencePassed(ctx context.Context, f *Fence, patient bool) (passed bool, err error) {
	if f.passed {
		return true, nil
	}
	e, err := db.postgres()
	if err != nil {
		return false, err
	}
	err = e.fencing.use(ctx, func(conn *pgx.Conn) error {
		if patient {
			err := conn.QueryRow(ctx, dPgOldestID.text).Scan(&f.Oldest)
			passed = f.Oldest >= f.ID
			return err
		}
		rows, err := conn.Query(ctx, dPgWriters.text)
		if err == nil {
			passed, err = f.writersGone(rows)
		}
		return err
	})
	return passed, err
}

// writersGone reports whether no transaction with a lock on changes is before the
// fence.
func (f *Fence) writersGone(rows pgx.Rows) (bool, error) {
	writers, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	gone := !slices.ContainsFunc(writers, func(id int64) bool {
		// Locks have the low 32 bits of a transaction ID, which wrap around.
		return int32(uint32(id)-uint32(f.ID)) < 0
	})
	return gone, err
}

// ChangesBefore reads the log in (after, upTo] as Reader.Changes does, up to a
// fence that was passed.
func (db *DB) ChangesBefore(ctx context.Context, after, upTo int64, limit int) (list []Change, err error) {
	e, err := db.postgres()
	if err != nil {
		return nil, err
	}
	err = e.fencing.use(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, qChanges.text, after, upTo, int64(limit-1))
		if err == nil {
			list, err = scanChanges(rows)
		}
		return err
	})
	return list, err
}

func scanChanges(rows pgx.Rows) ([]Change, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Change, err error) {
		return c, c.scan(row.Scan)
	})
}

func (db *DB) postgres() (*postgresEngine, error) {
	if e, ok := db.engine.(*postgresEngine); ok {
		return e, nil
	}
	return nil, fmt.Errorf("a fence is PostgreSQL's, not %s's", db.Engine())
}

const (
	doorbellChannel = "touchstone_positions"
	// exclusiveLock is held exclusively by a server that must be the only one.
	exclusiveLock = 0x736f6c6f // "solo"
)

// A Doorbell is a connection that receives notifications of other servers' commits. It
// also holds a lock that keeps a server which must be the only one from running beside
// others.
type Doorbell struct {
	conn *pgx.Conn
	name string
}

// OpenDoorbell connects. ErrBusy means, with alone set, that another server uses the
// database; without, that a server uses it which must be the only one.
func (db *DB) OpenDoorbell(ctx context.Context, alone bool) (*Doorbell, error) {
	e, err := db.postgres()
	if err != nil {
		return nil, err
	}
	conn, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	d := &Doorbell{conn: conn, name: strconv.FormatUint(uint64(conn.PgConn().PID()), 10)}
	lock := dPgLockShared
	if alone {
		lock = dPgLockAlone
	}
	var locked bool
	err = conn.QueryRow(ctx, lock.text, int64(exclusiveLock)).Scan(&locked)
	if err == nil && !locked {
		err = fmt.Errorf("%w: another server uses this database", ErrBusy)
	}
	if err == nil {
		_, err = conn.Exec(ctx, "LISTEN "+doorbellChannel)
	}
	if err != nil {
		return nil, errors.Join(postgresError(err), d.Close())
	}
	return d, nil
}

// Wait returns when another server has committed a change, or with an error when the
// connection is lost.
func (d *Doorbell) Wait(ctx context.Context) error {
	for {
		n, err := d.conn.WaitForNotification(ctx)
		if err != nil {
			return postgresError(err)
		}
		if n.Payload != d.name {
			return nil
		}
	}
}

// Close ends the connection, and its lock with it.
func (d *Doorbell) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := d.conn.Close(ctx)
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return postgresError(err)
	}
	return nil // a lost connection is closed already
}

// Ring notifies the other servers. A notification may get lost. It is never sent in a
// transaction with changes, since NOTIFY makes commits wait for each other.
func (db *DB) Ring(ctx context.Context, from *Doorbell) error {
	e, err := db.postgres()
	if err != nil {
		return err
	}
	return e.queryConn.use(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, dPgRing.text, doorbellChannel, from.name)
		return err
	})
}
