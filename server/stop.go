// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
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

// stages are the server's goroutines. They stop from the outside in, each when
// all before it have ended:
//
//  1. the listeners; then those who wait for news are answered
//  2. the requests under way
//  3. the work in the background
//  4. the feed, without which no write is answered
//  5. the database, which has no goroutine here
//
// A goroutine that fails stops the whole server, in the same order.
type stages struct {
	main    *run.Group // runs the stop
	serving *run.Group // listeners
	work    *run.Group // what goes on without a request
	stream  *run.Group // the feed

	// waiting ends when those who wait for news are to be answered.
	waiting   context.Context
	endWaits  context.CancelFunc
	requests  requests
	stopError error // once main has ended
}

// begin makes the groups. Only main ends with ctx: it stops the others.
func (s *Server) begin(ctx context.Context) {
	inner := context.WithoutCancel(ctx)
	s.waiting, s.endWaits = context.WithCancel(inner)
	s.requests.base, s.requests.cut = context.WithCancelCause(inner)
	s.main = run.NewGroup(ctx, s.log)
	s.main.Go("stop", func(ctx context.Context) error {
		<-ctx.Done()
		s.stopError = s.stopInOrder()
		return nil
	})
	for _, g := range []**run.Group{&s.serving, &s.work, &s.stream} {
		group := run.NewGroup(inner, s.log)
		*g = group
		s.main.Go("watch", func(ctx context.Context) error {
			select {
			case <-group.Done():
				s.main.Stop()
			case <-ctx.Done():
			}
			return nil
		})
	}
}

// Wait returns when the server has stopped: nil when it was asked to.
func (s *Server) Wait() error {
	<-s.main.Done()
	return s.stop()
}

// Close stops the server and waits until it has.
func (s *Server) Close(context.Context) error { return s.stop() }

func (s *Server) stop() error {
	s.main.Stop()
	err := s.main.Wait()
	return errors.Join(err, s.stopError)
}

func (s *Server) stopInOrder() error {
	err := s.stopRequests()
	for _, g := range []*run.Group{s.serving, s.work, s.stream} {
		g.Stop()
		err = errors.Join(err, s.within(func() string { return strings.Join(g.Running(), ", ") }, g.Wait))
	}
	if s.announced { // else the file may be another server's
		_ = os.Remove(s.cfg.ReadyFile) // whoever read it may have deleted it
	}
	if s.db != nil {
		err = errors.Join(err, s.within(func() string { return "the database" }, s.db.Close))
	}
	return err
}

// within waits for one stage to end, but not for ever. hung names what has not.
func (s *Server) within(hung func() string, wait func() error) error {
	result := make(chan error, 1)
	run.NewGroup(context.Background(), s.log).Go("stop", func(context.Context) error {
		result <- wait()
		return nil
	})
	timeout := time.NewTimer(hungPatience)
	defer timeout.Stop()
	select {
	case err := <-result:
		return err
	case <-timeout.C:
		return fmt.Errorf("the server stops without waiting any longer for %s", hung())
	}
}

// stopRequests closes the listeners, answers those who wait for news, and lets
// the other requests finish. Those that take too long are answered with 503,
// and at last their connections are closed.
func (s *Server) stopRequests() error {
	ctx, done := context.WithTimeout(context.Background(), stopPatience+cutPatience)
	defer done()
	defer time.AfterFunc(stopPatience, func() { s.requests.cut(api.ErrStopping) }).Stop()
	closing := run.NewGroup(context.Background(), s.log)
	var closed sync.WaitGroup
	for _, f := range s.fronts {
		closed.Add(1)
		closing.Go("close "+f.name, func(context.Context) error { return f.shutdown(ctx, sync.OnceFunc(closed.Done)) })
	}
	closed.Wait() // a client that is answered before would ask again at once
	s.endWaits()
	err := closing.Wait()
	s.requests.cut(api.ErrStopping)
	return errors.Join(err, s.within(func() string { return "requests" }, s.requests.wait))
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

// counted is a handler whose requests are waited for.
func (r *requests) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.count(1)
		defer r.count(-1)
		next.ServeHTTP(w, req)
	})
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

// wait returns when no request is left.
func (r *requests) wait() error {
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
