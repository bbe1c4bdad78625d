// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"
	"fmt"
)

// An Epoch is a history of the database since it was last restored. Up to FromPos it
// has the same changes as the epoch before it.
type Epoch struct {
	Number  int64
	FromPos int64
	origin  string
}

var (
	qEpochs      = q("epochs", `SELECT epoch, from_pos, origin FROM epochs ORDER BY epoch`)
	qInsertEpoch = q("insert_epoch", `INSERT INTO epochs (epoch, from_pos, origin) VALUES ($1, $2, $3)`)
)

// Epochs lists the epochs, oldest first.
func (r *Reader) Epochs(ctx context.Context) (list []Epoch, err error) {
	err = r.rows(ctx, qEpochs, nil, func(scan scanFunc) error {
		var e Epoch
		var origin Text
		err := scan(&e.Number, &e.FromPos, &origin)
		e.origin = string(origin)
		list = append(list, e)
		return err
	})
	return list, err
}

// Epoch returns the current epoch, which stream tokens contain.
func (r *Reader) Epoch(ctx context.Context) (int64, error) {
	list, err := r.Epochs(ctx)
	if err != nil || len(list) == 0 {
		return 1, err
	}
	return list[len(list)-1].Number, nil
}

// OpenHistory returns the epochs of the database, the current one last. It begins a new
// one if the database may have lost its last changes: it is in another place than
// before, or the file beside it records a later position. Call it before the first
// position is drawn.
func (db *DB) OpenHistory(ctx context.Context) (list []Epoch, cut bool, err error) {
	origin, err := db.engine.identity(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("where the database is: %w", err)
	}
	beside := db.engine.storedMark()
	err = db.Write(ctx, func(w *Writer) (err error) {
		if list, err = w.lockEpochs(ctx); err != nil {
			return err
		}
		last, err := w.LastChange(ctx, maxPosition)
		if err != nil {
			return err
		}
		next := Epoch{Number: 1, origin: origin}
		if cut = len(list) > 0; cut {
			newest := list[len(list)-1]
			ahead := beside.epoch > newest.Number || beside.epoch == newest.Number && beside.position > last
			if cut = newest.origin != origin || ahead; !cut {
				return nil
			}
			next.Number, next.FromPos = max(newest.Number, beside.epoch)+1, last
		}
		list = append(list, next)
		return w.insertEpoch(ctx, next)
	})
	return list, cut, err
}

// RaiseEpoch begins a new epoch after known, unless another process has done so. How
// many changes it shares with the old one is not known.
func (db *DB) RaiseEpoch(ctx context.Context, known int64) error {
	origin, err := db.engine.identity(ctx)
	if err != nil {
		return err
	}
	return db.Write(ctx, func(w *Writer) error {
		list, err := w.lockEpochs(ctx)
		if err != nil || len(list) > 0 && list[len(list)-1].Number != known {
			return err
		}
		return w.insertEpoch(ctx, Epoch{Number: known + 1, origin: origin})
	})
}

// maxPosition is after every position.
const maxPosition = 1<<63 - 1

// lockEpochs reads the epochs, and keeps other processes from adding one.
func (w *Writer) lockEpochs(ctx context.Context) ([]Epoch, error) {
	if w.db.Engine() == "postgres" {
		if err := w.enqueue(ctx, dPgLockEpochs, int64(epochLock)); err != nil {
			return nil, err
		}
	}
	return w.Epochs(ctx)
}

const epochLock = 0x65706f6368 // "epoch"

func (w *Writer) insertEpoch(ctx context.Context, e Epoch) error {
	return w.enqueue(ctx, qInsertEpoch, e.Number, e.FromPos, e.origin)
}

// NoteHistory writes the last position into a file beside an SQLite database, so that
// an older copy of the database is recognised.
func (db *DB) NoteHistory(ctx context.Context) error {
	e, ok := db.engine.(*sqliteEngine)
	if !ok || e.markPath == "" {
		return nil
	}
	var m mark
	err := db.Read(ctx, func(r *Reader) (err error) {
		if m.epoch, err = r.Epoch(ctx); err == nil {
			m.position, err = r.LastChange(ctx, maxPosition)
		}
		return err
	})
	if err != nil {
		return err
	}
	return m.write(e.markPath)
}

// noteLast writes the last position when the database is closed. An error is ignored:
// the earlier record does no harm.
func (db *DB) noteLast() {
	if db.engine.storedMark() != (mark{}) {
		_ = db.NoteHistory(context.Background())
	}
}

// ErrHistory: the database is no longer the one that was opened: it is another cluster,
// or it was restored to an earlier time.
var ErrHistory = errors.New("the database was replaced, or put back to an earlier time, while this server ran; start it again")
