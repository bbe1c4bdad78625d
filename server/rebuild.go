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

// behind holds the server behind the listeners, and replaces it.
type behind struct {
	rebuilding sync.Mutex // one rebuild or stop at a time

	mu     sync.RWMutex
	server *Server
	// held is set while requests wait for a new server, and closed when it is there.
	held chan struct{}
}

// now is the server that answers, or the last one that did.
func (b *behind) now() *Server {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.server
}

// enter adds a request to the count of the current server and returns it; nil if ctx
// ends before there is one. A replaced server gets no more requests.
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

// hold makes new requests wait.
func (b *behind) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = make(chan struct{})
}

// use directs requests to a server, waiting ones first.
func (b *behind) use(s *Server) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.server = s
	if b.held != nil {
		close(b.held)
		b.held = nil
	}
}

// handler passes each request to the current server's handler.
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

// Rebuild replaces the server behind the listeners with a new one, made from the same
// settings, and stops the old one, with all its caches. Running requests finish on the
// old server; requests that wait for news are answered at once. After an error the old
// server continues.
//
// Only one server at a time can use an SQLite file. There the old server stops first,
// and requests wait meanwhile; if the new one cannot start then, everything stops.
func (l *Listeners) Rebuild(ctx context.Context) error {
	l.rebuilding.Lock()
	defer l.rebuilding.Unlock()
	return l.rebuild(ctx, beginning{}, l.oneAtATime())
}

// A beginning is how a server starts, where that differs from the settings. The zero
// value is a normal start.
type beginning struct {
	env       *env.Env          // its clock and randomness
	empty     bool              // empty the database
	snapshot  *storage.Snapshot // the database's new contents
	lastEpoch int64             // last epoch before the snapshot was restored
	// soon closes the old server's database in the background, when its requests are
	// answered.
	soon bool
}

// oneAtATime reports whether only one server at a time can use the database.
func (l *Listeners) oneAtATime() bool {
	url, err := l.cfg.DatabaseURL()
	return err == nil && strings.HasPrefix(url, "sqlite:") && !l.Temporary()
}

// rebuild is Rebuild; the caller has locked rebuilding. With stopFirst the old server
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
		l.use(old) // which also answers requests that wait for news
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

// serve directs requests to a server. If the server fails, everything stops.
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
			s.requests.cut(api.ErrStopping)       // their later writes are not seen
			_ = l.rebuild(ctx, beginning{}, true) // an error stops everything, and Wait returns it
		default:
			l.main.Stop()
		}
		return nil
	})
}
