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
	"strings"
	"syscall"
	"time"

	"touchstone.example/server/config"
	"touchstone.example/server/lab"
	"touchstone.example/server/run"
	"touchstone.example/server/strict"
	"touchstone.example/spec"
	"touchstone.example/storage"
)

// Timeouts of connections. Answers have none, because of long polls.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// maxHeader bounds the header of a request with its path and query. The largest
	// useful one has a filter with a thousand rooms.
	maxHeader = 128 << 10
)

// A front is one listener and its HTTP server.
type front struct {
	name   string
	url    string
	server *http.Server
	unused unused
}

// Listeners is a running homeserver: its listeners and the server behind them.
type Listeners struct {
	cfg          *config.Config
	log          *slog.Logger
	judge        *strict.Judge // its counts continue when the server is rebuilt
	fronts       []*front
	certificates []*certificate // of the listeners that have one
	// announced says that this process has written the ready file.
	announced bool

	lab      *lab.Lab          // nil if lab mode is off
	template *storage.Snapshot // an empty database, for a lab whose data is temporary
	labs     context.Context   // of requests to the lab
	endLab   context.CancelFunc

	main      *run.Group // runs the stop
	serving   *run.Group // listeners
	stopError error      // once main has ended
	behind
}

// Start opens everything and returns when the server answers. A nil log discards. The
// server stops when ctx ends or Close is called.
func Start(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Listeners, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &Listeners{cfg: cfg, log: log}
	l.begin(ctx)
	if err := l.start(ctx); err != nil {
		return nil, errors.Join(err, l.stop())
	}
	return l, nil
}

func (l *Listeners) start(ctx context.Context) error {
	settings, err := strict.Resolve(l.cfg.Strictness.Profile, l.cfg.Strictness.Rules)
	if err != nil {
		return fmt.Errorf("settings: strictness: %w", err)
	}
	if l.judge, err = strict.New(strict.Config{Spec: spec.Files, Settings: settings, Answers: l.cfg.Strictness.Answers, Tell: l.cfg.Strictness.Profile == strict.Strict, Log: l.log}); err != nil {
		return fmt.Errorf("read the specification: %w", err)
	}
	if l.cfg.Lab {
		l.lab = lab.New(lab.Deps{Host: host{l}, Coverage: &lab.Coverage{}, Violations: l.judge.Store()})
	}
	s, err := l.build(ctx, beginning{})
	if err != nil {
		return err
	}
	l.serve(s)
	return l.listen()
}

// listen opens the listeners of the settings and serves on them.
func (l *Listeners) listen() error {
	matrix := l.handler(func(s *Server) http.Handler { return s.matrix })
	for _, f := range []struct {
		name    string
		at      config.TLSListener
		handler http.Handler
	}{
		{"client", l.cfg.Listeners.Client, matrix},
		{"federation", l.cfg.Listeners.Federation, matrix},
		{"metrics", config.TLSListener{Address: l.cfg.Listeners.Metrics.Address}, l.handler(func(s *Server) http.Handler { return s.numbers })},
	} {
		if f.at.Address == "" {
			continue
		}
		if err := l.open(f.name, f.at, f.handler); err != nil {
			return fmt.Errorf("%s listener: %w", f.name, err)
		}
	}
	if err := l.listenLab(); err != nil {
		return fmt.Errorf("lab listener: %w", err)
	}
	return l.announce()
}

func (l *Listeners) open(name string, at config.TLSListener, handler http.Handler) error {
	socket, err := net.Listen("tcp", at.Address)
	if errors.Is(err, syscall.EADDRINUSE) && name == "client" {
		return fmt.Errorf("%w; choose another port, or a free one with --listen 127.0.0.1:0 (make run ARGS=\"--listen 127.0.0.1:0\")", err)
	}
	if errors.Is(err, syscall.EADDRINUSE) && name == labListener {
		return fmt.Errorf("%w; choose another port in listeners.lab.address, or a free one with 127.0.0.1:0", err)
	}
	if err != nil {
		return err
	}
	f := &front{name: name}
	srv := &http.Server{
		Handler: handler, ConnState: f.unused.state,
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		HTTP2: &http.HTTP2Config{
			// Concurrent requests of one connection, and bytes it may send ahead.
			MaxConcurrentStreams: 100, MaxReceiveBufferPerConnection: 1 << 20, MaxReceiveBufferPerStream: 256 << 10,
			// Detect a peer that has gone or reads nothing.
			SendPingTimeout: idleTimeout, PingTimeout: time.Duration(l.cfg.Listeners.WriteTimeout),
			WriteByteTimeout: time.Duration(l.cfg.Listeners.WriteTimeout),
		},
		// "OPTIONS *" gets CORS headers like every other request.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(l.log.Handler(), slog.LevelWarn),
	}
	if name == "metrics" { // where no handler reads a body
		srv.ReadTimeout = headerTimeout
	}
	scheme := "http"
	serve := func() error { return srv.Serve(socket) }
	if at.TLSCertFile != "" {
		c := &certificate{at: at, name: name}
		if err := c.read(); err != nil {
			return errors.Join(err, socket.Close())
		}
		l.certificates = append(l.certificates, c)
		scheme, srv.TLSConfig = "https", c.config()
		serve = func() error { return srv.ServeTLS(socket, "", "") }
	}
	f.url, f.server = scheme+"://"+reachable(socket.Addr()), srv
	l.fronts = append(l.fronts, f)
	l.serving.Go("serve "+name, func(context.Context) error {
		if err := serve(); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return nil
}

// reachable is the address at which this machine reaches a listener: loopback, if it
// listens on all addresses.
func reachable(at net.Addr) string {
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return at.String()
}

// announce writes the server's URLs into the ready file, for programs that started it
// with port 0.
func (l *Listeners) announce() error {
	if l.cfg.ReadyFile == "" {
		return nil
	}
	urls := map[string]string{}
	for _, f := range l.fronts {
		urls[f.name] = f.url
	}
	b, err := json.Marshal(urls)
	if err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(l.cfg.ReadyFile), "."+filepath.Base(l.cfg.ReadyFile)+".tmp")
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	if err := os.Rename(tmp, l.cfg.ReadyFile); err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	l.announced = true
	return nil
}

func (l *Listeners) url(name string) string {
	for _, f := range l.fronts {
		if f.name == name {
			return f.url
		}
	}
	return ""
}

// ClientURL is the server's URL for clients.
func (l *Listeners) ClientURL() string { return l.url("client") }

// LabURL is the URL of lab mode's control plane, empty if there is none.
func (l *Listeners) LabURL() string { return l.url(labListener) }

// Lab is the control plane of lab mode, for programs that start the server in their
// process; nil if lab mode is off.
func (l *Listeners) Lab() *lab.Lab { return l.lab }

// MetricsURL is the URL of the metrics, empty if there is none.
func (l *Listeners) MetricsURL() string {
	if url := l.url("metrics"); url != "" {
		return url + "/metrics"
	}
	return ""
}

// Violations are the departures from the specification in this server's own
// answers that the strictness settings forbid, since it started.
func (l *Listeners) Violations() []strict.Count { return l.judge.Log().Enforced(strict.Answer) }

// DatabaseName names the database, without secrets.
func (l *Listeners) DatabaseName() string {
	url, err := l.cfg.DatabaseURL()
	if err != nil {
		return "unknown"
	}
	if !strings.HasPrefix(url, "sqlite:") {
		return postgresName(url)
	}
	if l.Temporary() {
		return "temporary, gone when the server stops"
	}
	return strings.TrimPrefix(url, "sqlite://")
}

// Temporary reports whether the data is gone when the server stops.
func (l *Listeners) Temporary() bool {
	url, err := l.cfg.DatabaseURL()
	return err == nil && url == "sqlite::memory:"
}
