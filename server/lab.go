// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"touchstone.example/api"
	"touchstone.example/generated/extraapi"
	"touchstone.example/server/accounts"
	"touchstone.example/server/config"
	"touchstone.example/server/env"
	"touchstone.example/server/lab"
	"touchstone.example/server/strict"
	"touchstone.example/spec"
	"touchstone.example/storage"
)

// labListener is the name of the control plane's listener.
const labListener = "lab"

// listenLab opens the listener of the control plane. Its requests are no requests
// of the server behind the other listeners, which they may replace.
func (l *Listeners) listenLab() error {
	at := l.cfg.Listeners.Lab
	if l.lab == nil || at.Address == "" {
		return nil
	}
	if !at.Loopback() && !at.AnyoneMayControl { // settings that were not read from anywhere are not validated
		return fmt.Errorf("others can reach %s: listeners.lab.anyone_may_control is not set", at.Address)
	}
	handler, err := l.labHandler()
	if err != nil {
		return err
	}
	return l.open(labListener, config.TLSListener{Address: at.Address}, handler)
}

func (l *Listeners) labHandler() (http.Handler, error) {
	// A member that nobody knows is a slip of the pen here: there is one version.
	settings, err := strict.Resolve(strict.Strict, map[string]string{"request-unknown-member": "enforce"})
	if err != nil {
		return nil, err
	}
	judge, err := strict.New(strict.Config{Spec: spec.Files, Settings: settings, Tell: true})
	if err != nil {
		return nil, err
	}
	deadline := func(d config.Duration) time.Time { return env.Real().Now().Add(time.Duration(d)) }
	r := api.NewRouter(api.Config{
		Checks: judge.Checks(), Log: l.log, Now: newStopwatch(),
		MaxPublicBody: 4 << 20, // thousands of users
		BodyDeadline:  func(*api.Operation) time.Time { return deadline(l.cfg.Listeners.BodyTimeout) },
		WriteDeadline: func() time.Time { return deadline(l.cfg.Listeners.WriteTimeout) },
	})
	extraapi.MountLab(r, l.lab)
	inner := r.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(l.labs, cancel)()
		if !l.cfg.Listeners.Lab.AnyoneMayControl && !fromHere(r) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write(api.Forbidden("The control plane answers pages and programs of this machine only; listeners.lab.anyone_may_control lifts that").AppendJSON(nil))
			return
		}
		inner.ServeHTTP(w, r.WithContext(ctx))
	}), nil
}

// fromHere refuses what a browser sends for a page of some other site, which may
// have had its own name lead to this machine.
func fromHere(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || !local(u.Hostname()) {
			return false
		}
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return local(host)
}

func local(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// closeLab deletes what the lab has kept.
func (l *Listeners) closeLab() error {
	if l.lab == nil {
		return nil
	}
	err := l.lab.Close()
	if l.template != nil {
		err = errors.Join(err, l.template.Delete())
	}
	return err
}

// keepTemplate copies the first temporary database of a lab while it is empty: to
// copy one back is faster than to make its tables.
func (l *Listeners) keepTemplate(ctx context.Context, db *storage.DB) (err error) {
	if l.lab == nil || l.template != nil || !l.Temporary() {
		return nil
	}
	l.template, err = db.Snapshot(ctx)
	return err
}

// host is the server as its lab sees it.
type host struct{ l *Listeners }

var _ lab.Host = host{}

// Reset implements lab.Host.
func (h host) Reset(ctx context.Context) error {
	from := beginning{snapshot: h.l.template, soon: true}
	if !h.l.Temporary() {
		from = beginning{empty: true}
	}
	return h.replace(ctx, from)
}

// Restore implements lab.Host.
func (h host) Restore(ctx context.Context, s *lab.Saved) error {
	clock := env.Frozen(time.UnixMilli(s.At))
	if s.Running {
		clock.Run()
	}
	return h.replace(ctx, beginning{
		env: &env.Env{Clock: clock, Rand: s.Rand.Clone()}, snapshot: s.Data, lastEpoch: h.l.now().feed.Epoch(), soon: true,
	})
}

// replace rebuilds the server whatever becomes of the request that asks for it:
// half of it would be none.
func (h host) replace(ctx context.Context, from beginning) error {
	h.l.rebuilding.Lock()
	defer h.l.rebuilding.Unlock()
	return h.l.rebuild(context.WithoutCancel(ctx), from, !h.l.Temporary())
}

// Save implements lab.Host.
func (h host) Save(ctx context.Context) (*lab.Saved, error) {
	h.l.rebuilding.Lock()
	defer h.l.rebuilding.Unlock()
	s := h.l.now()
	data, err := s.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	clock := h.Clock()
	return &lab.Saved{Data: data, Rand: s.env.Rand.Clone(), At: clock.Now().UnixMilli(), Running: clock.Running()}, nil
}

// Idle implements lab.Host. What a job writes may wake something else, so all are
// asked until nothing has been written meanwhile.
func (h host) Idle(ctx context.Context) error {
	for {
		s := h.l.now()
		err := s.idle(ctx)
		if err == nil || ctx.Err() != nil || h.l.now() == s {
			return err
		}
	}
}

func (s *Server) idle(ctx context.Context) error {
	for before := int64(-1); ; {
		if err := s.jobs.Idle(ctx); err != nil {
			return fmt.Errorf("jobs: %w", err)
		}
		settled, err := s.feed.Settle(ctx)
		if err != nil {
			return fmt.Errorf("stream of changes: %w", err)
		}
		if settled == before {
			return nil
		}
		before = settled
	}
}

// Clock implements lab.Host: in lab mode it is always one that can be moved.
func (h host) Clock() *env.VirtualClock { return h.l.now().env.Clock.(*env.VirtualClock) }

// Accounts implements lab.Host.
func (h host) Accounts() *accounts.Accounts { return h.l.now().parts.accounts }
