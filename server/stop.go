// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"touchstone.example/api"
	"touchstone.example/server/run"
)

// Timeouts of a stop. Requests that wait for news are answered at once.
const (
	// stopPatience is how long running requests may take.
	stopPatience = 5 * time.Second
	// cutPatience is how long requests may take to answer after their context was
	// cancelled.
	cutPatience = time.Second
	// hungPatience is how long each stage may take after it was told to end. A stage
	// that takes longer, because a database does not answer, is abandoned: the process
	// ends.
	hungPatience = 5 * time.Second
	// newPatience is how long a new connection without a request stays open: one may be
	// on its way.
	newPatience = 200 * time.Millisecond
)

// stages are the server's goroutines. They stop from the outside in, each when those
// before it have ended:
//
//  1. the listeners; then those who wait for news are answered
//  2. the requests under way
//  3. the work in the background
//  4. the feed, without which no write is answered
//  5. the database, which has no goroutine here
//
// A goroutine that fails stops everything, in the same order. A replaced server stops
// in the same way, without the listeners.
type stages struct {
	work   *run.Group // background work
	stream *run.Group // the feed

	// waiting ends when requests that wait for news must be answered.
	waiting   context.Context
	endWaits  context.CancelFunc
	requests  requests
	stopOnce  sync.Once
	stopError error // once it has stopped
}

// begin makes the groups. Only main ends with ctx; it then stops the others.
func (l *Listeners) begin(ctx context.Context) {
	l.labs, l.endLab = context.WithCancel(context.WithoutCancel(ctx))
	l.main = run.NewGroup(ctx, l.log)
	l.main.Go("stop", func(ctx context.Context) error {
		<-ctx.Done()
		l.stopError = l.stopInOrder()
		return nil
	})
	l.serving = run.NewGroup(context.WithoutCancel(ctx), l.log)
	l.main.Go("watch", func(ctx context.Context) error {
		select {
		case <-l.serving.Done():
			l.main.Stop()
		case <-ctx.Done():
		}
		return nil
	})
}

func (s *Server) begin(ctx context.Context) {
	inner := context.WithoutCancel(ctx)
	s.waiting, s.endWaits = context.WithCancel(inner)
	s.requests.base, s.requests.cut = context.WithCancelCause(inner)
	s.work, s.stream = run.NewGroup(inner, s.log), run.NewGroup(inner, s.log)
}

// Wait returns when the server has stopped: nil if it was told to.
func (l *Listeners) Wait() error {
	<-l.main.Done()
	return l.stop()
}

// Close stops the server and waits until it has.
func (l *Listeners) Close(context.Context) error { return l.stop() }

func (l *Listeners) stop() error {
	l.main.Stop()
	err := l.main.Wait()
	return errors.Join(err, l.stopError)
}

func (l *Listeners) stopInOrder() error {
	l.rebuilding.Lock()
	defer l.rebuilding.Unlock()
	s := l.now()
	if s == nil { // it has not started
		return l.closeLab()
	}
	err := l.stopRequests(s)
	l.serving.Stop()
	err = errors.Join(err, within(hungPatience, l.log, l.serving))
	if l.announced { // else the file may be another server's
		_ = os.Remove(l.cfg.ReadyFile) // its reader may have deleted it
	}
	return errors.Join(err, s.stop(), l.closeLab())
}

// stopRequests closes the listeners, answers requests that wait for news, and lets the
// others finish. Requests that take too long are answered with 503; finally their
// connections are closed.
func (l *Listeners) stopRequests(s *Server) error {
	ctx, done := context.WithTimeout(context.Background(), stopPatience+cutPatience)
	defer done()
	l.endLab()
	defer time.AfterFunc(stopPatience, func() { s.requests.cut(api.ErrStopping) }).Stop()
	closing := run.NewGroup(context.Background(), l.log)
	var closed sync.WaitGroup
	for _, f := range l.fronts {
		closed.Add(1)
		closing.Go("close "+f.name, func(context.Context) error { return f.shutdown(ctx, sync.OnceFunc(closed.Done)) })
	}
	closed.Wait() // else a client that was answered would reconnect at once
	s.endWaits()
	err := closing.Wait()
	s.requests.cut(api.ErrStopping)
	return errors.Join(err, within(hungPatience, l.log, &s.requests))
}

// retire stops a server whose requests now go to another, or wait. The connections
// belong to the listeners: a read from a client that sends nothing continues until the
// listener's deadline.
func (s *Server) retire() error { return errors.Join(s.leave(), s.stop()) }

// leave returns when all requests of a replaced server are answered.
func (s *Server) leave() error {
	defer time.AfterFunc(stopPatience, func() { s.requests.cut(api.ErrStopping) }).Stop()
	s.endWaits()
	return within(stopPatience+hungPatience, s.log, &s.requests)
}

// stop ends the background work.
func (s *Server) stop() error {
	s.stopOnce.Do(func() {
		s.endWaits()
		s.requests.cut(api.ErrStopping)
		for _, g := range []*run.Group{s.work, s.stream} {
			g.Stop()
			s.stopError = errors.Join(s.stopError, within(hungPatience, s.log, g))
		}
		if s.db != nil {
			s.stopError = errors.Join(s.stopError, within(hungPatience, s.log, closing{s.db.Close}))
		}
	})
	return s.stopError
}

// failedWith returns the errors of the server's goroutines so far.
func (s *Server) failedWith() error { return errors.Join(s.work.Err(), s.stream.Err()) }

// A stage is something to wait for, with the names of what has not ended.
type stage interface {
	Wait() error
	Running() []string
}

// closing is the database as a stage.
type closing struct{ close func() error }

func (c closing) Wait() error     { return c.close() }
func (closing) Running() []string { return []string{"the database"} }

// within waits for one stage to end, with a timeout.
func within(patience time.Duration, log *slog.Logger, what stage) error {
	result := make(chan error, 1)
	run.NewGroup(context.Background(), log).Go("stop", func(context.Context) error {
		result <- what.Wait()
		return nil
	})
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case err := <-result:
		return err
	case <-timeout.C:
		return fmt.Errorf("the server stops without waiting any longer for %s", strings.Join(what.Running(), ", "))
	}
}

// shutdown closes one listener and its connections, each when its requests are
// answered. closed is called when no more connections are accepted.
func (f *front) shutdown(ctx context.Context, closed func()) error {
	defer closed()
	f.server.RegisterOnShutdown(closed)
	defer time.AfterFunc(newPatience, f.unused.close).Stop()
	if f.server.Shutdown(ctx) == nil {
		return nil
	}
	return f.server.Close()
}

// requests are the running requests.
type requests struct {
	base context.Context // theirs
	cut  context.CancelCauseFunc

	mu    sync.Mutex
	open  int
	ended chan struct{} // closed when none is left; nil if nothing waits
}

// context returns a request's context, which ends with its connection's or when
// requests are cut. done releases it.
func (r *requests) context(parent context.Context) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(parent)
	if r.base.Err() != nil { // AfterFunc would run a little later
		cancel(context.Cause(r.base))
	}
	stop := context.AfterFunc(r.base, func() { cancel(context.Cause(r.base)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

func (r *requests) count(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open += n
	if r.open == 0 && r.ended != nil {
		close(r.ended)
		r.ended = nil
	}
}

// Running implements stage.
func (r *requests) Running() []string { return []string{"requests"} }

// Wait returns when no request is left.
func (r *requests) Wait() error {
	r.mu.Lock()
	ended := make(chan struct{})
	if r.open == 0 {
		close(ended)
	} else {
		r.ended = ended
	}
	r.mu.Unlock()
	<-ended
	return nil
}

// unused are connections without a request yet. net/http waits for them as for
// requests, and browsers open them in advance.
type unused struct {
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// state implements http.Server.ConnState.
func (u *unused) state(conn net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(u.conns, conn)
	case u.closed:
		conn.Close()
	default:
		if u.conns == nil {
			u.conns = map[net.Conn]struct{}{}
		}
		u.conns[conn] = struct{}{}
	}
}

// close closes them, and later ones.
func (u *unused) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	for conn := range u.conns {
		conn.Close()
	}
}
