// SPDX-License-Identifier: Apache-2.0

// Package touchstonetest starts a Matrix homeserver inside a Go test, so that a
// client can be tested without a container:
//
//	func TestMyClient(t *testing.T) {
//		s := touchstonetest.New(t, touchstonetest.FailOnViolations())
//		alice := s.User(t, "alice")
//		c := myclient.New(s.URL(), alice.ID, alice.Token)
//		…
//	}
//
// The server listens on a free port of this machine, keeps its data in memory,
// takes the specification by its letter, and stops when the test ends. Each test
// may have its own: starting one takes a few milliseconds. Users, the clock,
// snapshots and what the client did against the specification are methods; over
// HTTP the same is at LabURL.
package touchstonetest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"touchstone.example/server"
	"touchstone.example/server/config"
)

// T is what this package needs of a test.
type T = testing.TB

// A Server is a homeserver in this process.
type Server struct {
	listeners *server.Listeners
	name      string
}

// New starts a server that stops when the test ends. What the server logs as a
// warning goes into the test's log.
func New(t T, opts ...Option) *Server {
	t.Helper()
	o := options{log: slog.New(slog.NewTextHandler(LogWriter(t), &slog.HandlerOptions{Level: slog.LevelWarn}))}
	for _, opt := range opts {
		opt(&o)
	}
	s, err := o.start(context.WithoutCancel(t.Context()))
	if err != nil {
		fail(t, "start the homeserver", err)
	}
	t.Cleanup(func() {
		if o.failOnViolations {
			s.ReportViolations(t, o.allowed...)
		}
		if err := s.Close(); err != nil {
			t.Errorf("stop the homeserver: %v", err)
		}
	})
	return s
}

// Start starts a server for a program that is no test, or for TestMain. Close it.
func Start(ctx context.Context, opts ...Option) (*Server, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return o.start(ctx)
}

func (o *options) start(ctx context.Context) (*Server, error) {
	environment := append([]string{
		"TOUCHSTONE_LAB=true",
		"TOUCHSTONE_LISTENERS_CLIENT_ADDRESS=127.0.0.1:0",
		"TOUCHSTONE_LISTENERS_LAB_ADDRESS=127.0.0.1:0",
		"TOUCHSTONE_LOG_LEVEL=warn",
	}, o.environment...)
	cfg, err := config.Load(config.Sources{Env: environment})
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	l, err := server.Start(ctx, cfg, o.log)
	if err != nil {
		return nil, err
	}
	return &Server{listeners: l, name: string(cfg.ServerName)}, nil
}

// fail ends a test.
func fail(t T, doing string, err error) {
	t.Helper()
	t.Errorf("%s: %v", doing, err)
	t.FailNow()
}

// Close stops the server and waits until it has stopped.
func (s *Server) Close() error { return s.listeners.Close(context.Background()) }

// Name is the server's name: what stands after the colon in user IDs.
func (s *Server) Name() string { return s.name }

// URL is the base URL for clients.
func (s *Server) URL() string { return s.listeners.ClientURL() }

// LabURL is the base URL of the control plane, for tests in other languages.
func (s *Server) LabURL() string { return s.listeners.LabURL() }

// MetricsURL is where Prometheus would look, empty where the settings give it no
// address.
func (s *Server) MetricsURL() string { return s.listeners.MetricsURL() }

// WrongAnswers are answers of the server itself that depart from the
// specification: a mistake in the server. Please report it.
func (s *Server) WrongAnswers() (list []string) {
	for _, v := range s.listeners.Violations() {
		list = append(list, fmt.Sprintf("%s, %d times", v.Error(), v.Times))
	}
	return list
}

// LogWriter writes what a server logs into a test's log.
func LogWriter(t T) interface {
	Write(line []byte) (int, error)
} {
	return testLog{t}
}

type testLog struct{ t T }

func (l testLog) Write(line []byte) (int, error) {
	l.t.Logf("%s", strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}

// An Option changes how a server starts.
type Option func(*options)

type options struct {
	environment      []string
	log              *slog.Logger // nil: silent
	failOnViolations bool
	allowed          []string // rules
}

// set is an option that is a setting of the server.
func set(name, value string) Option {
	return func(o *options) { o.environment = append(o.environment, name+"="+value) }
}

// WithServerName sets the server's name; it is localhost otherwise.
func WithServerName(name string) Option { return set("TOUCHSTONE_SERVER_NAME", name) }

// A Profile says how literally the specification is taken.
type Profile string

const (
	Strict  Profile = "strict"  // by the letter; the default here
	Lenient Profile = "lenient" // what deployed clients need
	Synapse Profile = "synapse" // with departures that clients lean on
)

// WithProfile chooses a profile. docs/strictness.md lists what each refuses.
func WithProfile(p Profile) Option { return set("TOUCHSTONE_STRICTNESS_PROFILE", string(p)) }

// WithSeed makes every random value follow from a text, so that two runs that do
// the same get the same bytes; see also WithClock.
func WithSeed(seed string) Option { return set("TOUCHSTONE_SEED", seed) }

// WithClock has the clock that clients see stand still at a time, until the test
// moves it.
func WithClock(at time.Time) Option {
	return set("TOUCHSTONE_CLOCK", at.UTC().Format(time.RFC3339Nano))
}

// WithDatabase chooses a database, such as sqlite:///path/touchstone.db or
// postgres://user@host/name, in place of a temporary one.
func WithDatabase(url string) Option { return set("TOUCHSTONE_DATABASE", url) }

// WithEnvironment adds settings as the program takes them from its environment,
// such as TOUCHSTONE_ROOMS_DEFAULT_VERSION=11.
func WithEnvironment(variables ...string) Option {
	return func(o *options) { o.environment = append(o.environment, variables...) }
}

// WithLog says where the server logs to.
func WithLog(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// FailOnViolations fails the test at its end for each thing that the client did
// against the specification, but for rules that it is known to break.
func FailOnViolations(but ...string) Option {
	return func(o *options) { o.failOnViolations, o.allowed = true, but }
}
