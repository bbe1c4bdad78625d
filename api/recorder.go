// SPDX-License-Identifier: Apache-2.0

package api

import (
	"io"
	"log/slog"
	"net/http"
)

// A recorder is the ResponseWriter of an exchange. It remembers what has been
// answered, for the log, the metrics and the error writer.
type recorder struct {
	http.ResponseWriter
	outer  *recorder // the middleware's, where another writer stands between
	op     *Operation
	status int // 0 until the answer has begun
	bytes  int64
	id     string // the request's name
	quiet  bool   // log records get the name from the context
	logged bool   // why the request failed is in the log already
}

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

func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 && status >= 200 {
		rec.status = status
	}
	rec.ResponseWriter.WriteHeader(status)
}

func (rec *recorder) Write(b []byte) (int, error) {
	rec.begin()
	n, err := rec.ResponseWriter.Write(b)
	rec.bytes += int64(n)
	return n, err
}

// ReadFrom lets net/http send files without copying them.
func (rec *recorder) ReadFrom(r io.Reader) (int64, error) {
	rec.begin()
	n, err := io.Copy(rec.ResponseWriter, r)
	rec.bytes += n
	return n, err
}

// FlushError begins the answer if nothing has yet.
func (rec *recorder) FlushError() error {
	rec.begin()
	return http.NewResponseController(rec.ResponseWriter).Flush()
}

func (rec *recorder) begin() {
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
}
