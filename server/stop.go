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

// What a stop waits for. A request that waits for news is answered at once.
const (
	// stopPatience is how long requests may still take.
	stopPatience = 5 * time.Second
	// cutPatience is how long they may take to answer once their context has ended.
	cutPatience = time.Second
	// hungPatience is how long each stage may take once it has been told to end.
	// What a database that does not answer holds up longer is left behind: the
	// process ends.
	hungPatience = 5 * time.Second
	// newPatience is how long a connection on which nothing has come yet stays
	// open: a request may be on its way.
	newPatience = 200 * time.Millisecond
)

// stages are the server's goroutines. All stops from the outside in, each stage
// when those before it have ended:
//
//  1. the listeners; then those who wait for news are answered
//  2. the requests under way
//  3. the work in the background
//  4. the feed, without which no write is answered
//  5. the database, which has no goroutine here
//
// A goroutine that fails stops all, in the same order. A server that is replaced
// stops so too, but for the listeners.
type stages struct {
	work   *run.Group // what goes on without a request
	stream *run.Group // the feed

	// waiting ends when those who wait for news are to be answered.
	waiting   context.Context
	endWaits  context.CancelFunc
	requests  requests
	stopOnce  sync.Once
	stopError error // once it has stopped
}

// begin makes the groups. Only main ends with ctx: it stops the others.
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

// Wait returns when the server has stopped: nil when it was asked to.
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
		_ = os.Remove(l.cfg.ReadyFile) // whoever read it may have deleted it
	}
	return errors.Join(err, s.stop(), l.closeLab())
}

// stopRequests closes the listeners, answers those who wait for news, and lets
// the other requests finish. Those that take too long are answered with 503,
// and at last their connections are closed.
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
	closed.Wait() // a client that is answered before would ask again at once
	s.endWaits()
	err := closing.Wait()
	s.requests.cut(api.ErrStopping)
	return errors.Join(err, within(hungPatience, l.log, &s.requests))
}

// retire stops a server whose requests go to another now, or wait. The
// connections are not its own: what reads from a client that does nothing is left
// behind, until the listener's deadlines end it.
func (s *Server) retire() error { return errors.Join(s.leave(), s.stop()) }

// leave returns when the requests of a server are answered to which none come any
// more.
func (s *Server) leave() error {
	defer time.AfterFunc(stopPatience, func() { s.requests.cut(api.ErrStopping) }).Stop()
	s.endWaits()
	return within(stopPatience+hungPatience, s.log, &s.requests)
}

// stop ends what goes on behind the requests.
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

// failedWith is what the server's goroutines have failed with so far.
func (s *Server) failedWith() error { return errors.Join(s.work.Err(), s.stream.Err()) }

// A stage is something that ends, and says what of it has not.
type stage interface {
	Wait() error
	Running() []string
}

// closing is the database as a stage.
type closing struct{ close func() error }

func (c closing) Wait() error     { return c.close() }
func (closing) Running() []string { return []string{"the database"} }

// within waits for one stage to end, but not for ever.
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

// shutdown closes one listener and its connections, each once its requests are
// answered. closed is called when nobody can connect any more.
func (f *front) shutdown(ctx context.Context, closed func()) error {
	defer closed()
	f.server.RegisterOnShutdown(closed)
	defer time.AfterFunc(newPatience, f.unused.close).Stop()
	if f.server.Shutdown(ctx) == nil {
		return nil
	}
	return f.server.Close()
}

// requests are those under way.
type requests struct {
	base context.Context // theirs
	cut  context.CancelCauseFunc

	mu    sync.Mutex
	open  int
	ended chan struct{} // closed when none is left, once somebody waits for that
}

// context is that of one request, which ends with its connection's or when it is
// cut. done frees what it holds.
func (r *requests) context(parent context.Context) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(parent)
	if r.base.Err() != nil { // AfterFunc would say so a little later
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

// unused are connections on which nothing has come yet. net/http waits for them
// as for requests, and browsers open them in advance.
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

// close closes them, and those that come yet.
func (u *unused) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	for conn := range u.conns {
		conn.Close()
	}
}
