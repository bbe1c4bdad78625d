// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"touchstone.example/api"
	"touchstone.example/server/config"
	"touchstone.example/server/env"
)

// Time-outs of connections. Answers have none: a long poll takes its time.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// maxHeader bounds the header of a request, its path and query included.
	// The largest that is of use names some thousand rooms in a filter.
	maxHeader = 128 << 10
)

// A front is one listener and who answers on it.
type front struct {
	name   string
	url    string
	server *http.Server
	unused unused
}

type fronts []*front

// listen opens the listeners of the settings and serves on them.
func (s *Server) listen(r *api.Router) error {
	matrix := s.dated(r.Handler())
	metrics := http.NewServeMux()
	metrics.Handle("GET /metrics", api.Paced(s.metrics.Handler(), s.writeDeadline))
	for _, f := range []struct {
		name    string
		at      config.TLSListener
		handler http.Handler
	}{
		{"client", s.cfg.Listeners.Client, matrix},
		{"federation", s.cfg.Listeners.Federation, matrix},
		{"metrics", config.TLSListener{Address: s.cfg.Listeners.Metrics.Address}, metrics},
	} {
		if f.at.Address == "" {
			continue
		}
		if err := s.open(f.name, f.at, f.handler); err != nil {
			return fmt.Errorf("%s listener: %w", f.name, err)
		}
	}
	return s.announce()
}

// writeDeadline is until when a client must take more of its answer.
func (s *Server) writeDeadline() time.Time {
	return env.Real().Now().Add(time.Duration(s.cfg.Listeners.WriteTimeout))
}

// dated says in the Date header what time it is for clients, where that is not
// the real time.
func (s *Server) dated(next http.Handler) http.Handler {
	if s.cfg.Clock == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", s.env.Now().Format(http.TimeFormat))
		next.ServeHTTP(w, r)
	})
}

func (s *Server) open(name string, at config.TLSListener, handler http.Handler) error {
	l, err := net.Listen("tcp", at.Address)
	if errors.Is(err, syscall.EADDRINUSE) && name == "client" {
		return fmt.Errorf("%w; choose another port, or a free one with --listen 127.0.0.1:0 (make run ARGS=\"--listen 127.0.0.1:0\")", err)
	}
	if err != nil {
		return err
	}
	f := &front{name: name}
	srv := &http.Server{
		Handler: s.requests.counted(handler), ConnState: f.unused.state,
		BaseContext:       func(net.Listener) context.Context { return s.requests.base },
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		HTTP2: &http.HTTP2Config{
			// What one connection may ask for at once, and may send before it
			// is read.
			MaxConcurrentStreams: 100, MaxReceiveBufferPerConnection: 1 << 20, MaxReceiveBufferPerStream: 256 << 10,
			// A peer that is gone, or takes nothing at all.
			SendPingTimeout: idleTimeout, PingTimeout: time.Duration(s.cfg.Listeners.WriteTimeout),
			WriteByteTimeout: time.Duration(s.cfg.Listeners.WriteTimeout),
		},
		// "OPTIONS *" gets the CORS headers that each other answer has.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	if name == "metrics" { // where no handler reads a body
		srv.ReadTimeout = headerTimeout
	}
	scheme := "http"
	serve := func() error { return srv.Serve(l) }
	if at.TLSCertFile != "" {
		c := &certificate{at: at, name: name}
		if err := c.read(); err != nil {
			return errors.Join(err, l.Close())
		}
		s.certificates = append(s.certificates, c)
		scheme, srv.TLSConfig = "https", c.config()
		serve = func() error { return srv.ServeTLS(l, "", "") }
	}
	f.url, f.server = scheme+"://"+reachable(l.Addr()), srv
	s.fronts = append(s.fronts, f)
	s.serving.Go("serve "+name, func(context.Context) error {
		if err := serve(); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return nil
}

// reachable is where this machine reaches a listener: one on every address also
// by the loopback one.
func reachable(at net.Addr) string {
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return at.String()
}

// announce writes where the server answers into the file of the settings, for
// programs that started it on a port of its own choice.
func (s *Server) announce() error {
	if s.cfg.ReadyFile == "" {
		return nil
	}
	urls := map[string]string{}
	for _, f := range s.fronts {
		urls[f.name] = f.url
	}
	b, err := json.Marshal(urls)
	if err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(s.cfg.ReadyFile), "."+filepath.Base(s.cfg.ReadyFile)+".tmp")
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	if err := os.Rename(tmp, s.cfg.ReadyFile); err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	s.announced = true
	return nil
}

func (s *Server) url(name string) string {
	for _, f := range s.fronts {
		if f.name == name {
			return f.url
		}
	}
	return ""
}

// ClientURL is where clients reach the server.
func (s *Server) ClientURL() string { return s.url("client") }

// MetricsURL is where Prometheus reaches the server, empty if nowhere.
func (s *Server) MetricsURL() string {
	if url := s.url("metrics"); url != "" {
		return url + "/metrics"
	}
	return ""
}
