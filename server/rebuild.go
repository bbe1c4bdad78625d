// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"touchstone.example/api"
	"touchstone.example/server/env"
	"touchstone.example/storage"
)

// behind is the server behind the listeners, and how it is replaced.
type behind struct {
	rebuilding sync.Mutex // one rebuild or stop at a time

	mu     sync.RWMutex
	server *Server
	// held is there while requests wait for a server, and closed when they go on.
	held chan struct{}
}

// now is the server that answers, or has answered last.
func (b *behind) now() *Server {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.server
}

// enter counts a request at the server that is to answer it: nil when ctx ends
// before there is one. A server that has been replaced gets none any more.
func (b *behind) enter(ctx context.Context) *Server {
	for {
		b.mu.RLock()
		s, held := b.server, b.held
		if held == nil {
			s.requests.count(1)
			b.mu.RUnlock()
			return s
		}
		b.mu.RUnlock()
		select {
		case <-held:
		case <-ctx.Done():
			return nil
		}
	}
}

// hold lets the requests that come from now on wait.
func (b *behind) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = make(chan struct{})
}

// use gives requests to a server, those that wait first.
func (b *behind) use(s *Server) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.server = s
	if b.held != nil {
		close(b.held)
		b.held = nil
	}
}

// handler gives each request to what the server of the moment has for it.
func (b *behind) handler(part func(*Server) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := b.enter(r.Context())
		if s == nil {
			panic(http.ErrAbortHandler) // the client has gone
		}
		defer s.requests.count(-1)
		ctx, done := s.requests.context(r.Context())
		defer done()
		part(s).ServeHTTP(w, r.WithContext(ctx))
	})
}

// Rebuild puts a new server, made from the same settings, behind the listeners,
// and stops the one that was there: what that one remembered is gone. Requests
// under way finish where they began; those who wait for news are answered, and
// ask the new one next. After an error the old server goes on.
//
// An SQLite file serves one server at a time. There the old one stops first, and
// requests wait meanwhile; if the new one cannot start then, all stops.
func (l *Listeners) Rebuild(ctx context.Context) error {
	l.rebuilding.Lock()
	defer l.rebuilding.Unlock()
	return l.rebuild(ctx, beginning{}, l.oneAtATime())
}

// A beginning is what a server begins with, where that is not what the settings
// say. The zero beginning is that of a start.
type beginning struct {
	env       *env.Env          // its clock and chance
	empty     bool              // it forgets what the database has
	snapshot  *storage.Snapshot // what the database is to be
	lastEpoch int64             // of the history that the snapshot cuts off
	// soon leaves it to the background to close the database of the server that
	// was there, once its requests are answered.
	soon bool
}

// oneAtATime reports whether the database serves one server at a time.
func (l *Listeners) oneAtATime() bool {
	url, err := l.cfg.DatabaseURL()
	return err == nil && strings.HasPrefix(url, "sqlite:") && !l.Temporary()
}

// rebuild is Rebuild, for who has locked rebuilding. With stopFirst the old server
// stops before the new one starts.
func (l *Listeners) rebuild(ctx context.Context, from beginning, stopFirst bool) error {
	select {
	case <-l.main.Done():
		return api.ErrStopping
	default:
	}
	old := l.now()
	var stopped error
	if stopFirst {
		l.hold()
		stopped = old.retire()
	}
	next, err := l.build(ctx, from)
	switch {
	case err == nil:
		l.serve(next)
	case stopFirst:
		err = errors.Join(fmt.Errorf("rebuild: %w", err), stopped)
		l.use(old) // which says to those who wait that it stops
		l.main.Go("rebuild", func(context.Context) error { return err })
		return err
	default:
		return fmt.Errorf("rebuild: %w", err)
	}
	switch {
	case stopFirst:
	case from.soon:
		stopped = old.leave()
		l.main.Go("close a replaced server", func(ctx context.Context) error {
			if err := old.stop(); err != nil {
				l.log.WarnContext(ctx, "the old server did not stop as it should", "error", err)
			}
			return nil
		})
	default:
		stopped = old.retire()
	}
	if stopped != nil {
		l.log.WarnContext(ctx, "the old server did not stop as it should", "error", stopped)
	}
	return nil
}

// serve gives requests to a server. When it fails, all stops.
func (l *Listeners) serve(s *Server) {
	l.use(s)
	l.main.Go("watch", func(ctx context.Context) error {
		select {
		case <-s.work.Done():
		case <-s.stream.Done():
		case <-ctx.Done():
			return nil
		}
		l.rebuilding.Lock()
		defer l.rebuilding.Unlock()
		switch {
		case l.now() != s: // it was replaced
		case errors.Is(s.failedWith(), storage.ErrHistory):
			l.log.WarnContext(ctx, "the server begins anew with the history that the database has now")
			s.requests.cut(api.ErrStopping)       // no write of theirs is seen any more
			_ = l.rebuild(ctx, beginning{}, true) // an error stops all, and Wait returns it
		default:
			l.main.Stop()
		}
		return nil
	})
}
