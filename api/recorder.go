// SPDX-License-Identifier: Apache-2.0

package api

import (
	"io"
	"log/slog"
	"net/http"
	"time"
)

// A recorder is the ResponseWriter of an exchange. It records the answer for the log,
// the metrics and the error writer.
type recorder struct {
	http.ResponseWriter
	outer  *recorder // the middleware's recorder, if another writer wraps it
	op     *Operation
	x      *Exchange // nil outside of the router
	status int       // 0 until the answer has begun
	bytes  int64
	id     string // the request's name
	quiet  bool   // log records get the ID from the context
	// notes are additional attributes of the log line.
	notes []slog.Attr
	// deadline returns by when the client must have read what is written next; nil: no
	// deadline.
	deadline func() time.Time
	// unread is the deadline of a body that no handler has read. net/http reads it
	// before it sends what is written then.
	unread time.Time
	logged bool // the reason of the failure is logged already
}

// writeAtOnce is how much of an answer has one deadline.
const writeAtOnce = 64 << 10

// lastWrite is how long it may take to send an answer after the body has not arrived in
// time.
const lastWrite = 5 * time.Second

// recorderOf returns w if it is a recorder, else a new one on w.
func recorderOf(w http.ResponseWriter) *recorder {
	if rec, ok := w.(*recorder); ok {
		return rec
	}
	rec := &recorder{ResponseWriter: w}
	for {
		un, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return rec
		}
		w = un.Unwrap()
		if outer, ok := w.(*recorder); ok {
			rec.outer, rec.id, rec.quiet = outer, outer.id, outer.quiet
			return rec
		}
	}
}

// serves records the operation, also for the middleware.
func (rec *recorder) serves(op *Operation) {
	for ; rec != nil; rec = rec.outer {
		rec.op = op
	}
}

// told records that the reason of a failure was logged, also for the middleware.
func (rec *recorder) told() {
	for ; rec != nil; rec = rec.outer {
		rec.logged = true
	}
}

// name returns the request's ID for a log record, once.
func (rec *recorder) name() slog.Attr {
	if rec.quiet || rec.id == "" {
		return slog.Attr{}
	}
	return slog.String("request_id", rec.id)
}

// Unwrap is for http.ResponseController.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// note adds attributes to the log line, also for the middleware.
func (rec *recorder) note(a slog.Attr) {
	for ; rec != nil; rec = rec.outer {
		rec.notes = append(rec.notes, a)
	}
}

// extend gives the client more time to read. The connection of a client that reads
// nothing is closed.
func (rec *recorder) extend() {
	if rec.deadline == nil {
		return
	}
	until := rec.deadline()
	if !rec.unread.IsZero() && until.Before(rec.unread.Add(lastWrite)) {
		until = rec.unread.Add(lastWrite)
	}
	// A writer without a connection has no deadline to set.
	_ = http.NewResponseController(rec.ResponseWriter).SetWriteDeadline(until)
}

func (rec *recorder) WriteHeader(status int) {
	rec.extend()
	if rec.status == 0 && status >= 200 {
		rec.announce()
		rec.status = status
	}
	rec.ResponseWriter.WriteHeader(status)
}

func (rec *recorder) Write(b []byte) (int, error) {
	rec.begin()
	for written := 0; ; {
		rec.extend()
		n, err := rec.ResponseWriter.Write(b[written:min(len(b), written+writeAtOnce)])
		rec.bytes += int64(n)
		if written += n; err != nil || written == len(b) {
			return written, err
		}
	}
}

// ReadFrom lets net/http send files without copying them.
func (rec *recorder) ReadFrom(r io.Reader) (int64, error) {
	rec.begin()
	for all := int64(0); ; {
		rec.extend()
		n, err := io.CopyN(rec.ResponseWriter, r, writeAtOnce)
		rec.bytes += n
		all += n
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// FlushError begins the answer if nothing has yet.
func (rec *recorder) FlushError() error {
	rec.begin()
	rec.extend()
	return http.NewResponseController(rec.ResponseWriter).Flush()
}

func (rec *recorder) begin() {
	if rec.status == 0 {
		rec.announce()
		rec.status = http.StatusOK
	}
}

// announce reports the violations found in the request, before its answer begins.
func (rec *recorder) announce() {
	if rec.x != nil {
		rec.x.announce()
	}
}
