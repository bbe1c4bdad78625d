// SPDX-License-Identifier: Apache-2.0

package api

import (
	"io"
	"log/slog"
	"net/http"
	"time"
)

// A recorder is the ResponseWriter of an exchange. It remembers what has been
// answered, for the log, the metrics and the error writer.
type recorder struct {
	http.ResponseWriter
	outer  *recorder // the middleware's, where another writer stands between
	op     *Operation
	x      *Exchange // nil outside of the router
	status int       // 0 until the answer has begun
	bytes  int64
	id     string // the request's name
	quiet  bool   // log records get the name from the context
	// notes are what the log line says besides.
	notes []slog.Attr
	// deadline returns until when the client must have taken what is written
	// next; nil: it may take as long as it likes.
	deadline func() time.Time
	// unread is until when a body may arrive that nobody has read. net/http
	// reads it first, and sends what is written then.
	unread time.Time
	logged bool // why the request failed is in the log already
}

// writeAtOnce is how much of an answer has one deadline.
const writeAtOnce = 64 << 10

// lastWrite is how long it may take to send an answer once the body has been
// waited for in vain.
const lastWrite = 5 * time.Second

// recorderOf returns w where that is a recorder, else a new one on w.
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

// serves notes the operation, also for the middleware.
func (rec *recorder) serves(op *Operation) {
	for ; rec != nil; rec = rec.outer {
		rec.op = op
	}
}

// told notes that the log has the reason of a failure, also for the middleware.
func (rec *recorder) told() {
	for ; rec != nil; rec = rec.outer {
		rec.logged = true
	}
}

// name is the request's name for a log record, once.
func (rec *recorder) name() slog.Attr {
	if rec.quiet || rec.id == "" {
		return slog.Attr{}
	}
	return slog.String("request_id", rec.id)
}

// Unwrap is for http.ResponseController.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// note adds to the log line, also for the middleware.
func (rec *recorder) note(a slog.Attr) {
	for ; rec != nil; rec = rec.outer {
		rec.notes = append(rec.notes, a)
	}
}

// extend gives the client time to take more. Who takes nothing is hung up on,
// and holds nothing any longer.
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

// announce tells what was found in the request, before its answer begins.
func (rec *recorder) announce() {
	if rec.x != nil {
		rec.x.announce()
	}
}
