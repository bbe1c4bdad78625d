// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"touchstone.example/api"
)

// A Server is one homeserver that a test started, and the way to it.
type Server struct {
	Name     string
	Engine   Engine
	Database string // its URL, to start another server on the same one
	Routes   *Routes
	// Judge validates a response against the operation's JSON Schema.
	Judge func(op *api.Operation, status int, body []byte) error
	// Record, if set, is called with every request before it is sent; the function
	// that it returns is called with the response.
	Record func(r Request, body []byte) func(a *Answer)
	// Unchecked turns the validation of responses off, for benchmarks.
	Unchecked bool

	at      atomic.Pointer[Addresses]
	users   atomic.Int64
	running instance
	options Options
}

// Addresses are where a server says it listens, in its ready file.
type Addresses struct {
	Client     string `json:"client"`
	Federation string `json:"federation"` // where the settings give it an address
	Metrics    string `json:"metrics"`
	Lab        string `json:"lab"` // the control plane
}

// URL returns the base of the client-server API.
func (s *Server) URL() string { return s.at.Load().Client }

// MetricsURL returns the base of the metrics, empty where there are none.
func (s *Server) MetricsURL() string { return s.at.Load().Metrics }

// LabURL returns the base of the control plane, empty if the server has none.
func (s *Server) LabURL() string { return s.at.Load().Lab }

// FederationURL returns the base of the federation listener of a process, empty if
// it has none.
func (s *Server) FederationURL() string { return s.at.Load().Federation }

// Pid returns the id of a server that is a process, 0 of one that is not.
func (s *Server) Pid() int {
	if p, ok := s.running.(*Process); ok {
		return p.Pid()
	}
	return 0
}

// Options say what kind of server to start. The zero Options are a server in this
// process on a SQLite database of its own.
type Options struct {
	Engine   Engine
	Database string // an existing one; empty for a new one
	Name     string // "hs1" if empty
	Seed     string
	Clock    string
	Process  bool      // as a process of its own, which can be killed
	Durable  bool      // its database outlives it; a process's always does
	Settings []string  // further settings, as environment variables
	Log      io.Writer // where the log of a server in this process goes; nil for the test's
}

// An instance is a server that runs.
type instance interface {
	addresses() Addresses
	stop() error // gracefully
	kill() error // as the machine would
}

// settings writes the options as the environment of a server in lab mode.
func (o Options) settings(readyFile string) []string {
	env := []string{
		"TOUCHSTONE_LAB=true",
		"TOUCHSTONE_SERVER_NAME=" + o.Name,
		"TOUCHSTONE_LISTENERS_CLIENT_ADDRESS=127.0.0.1:0",
		"TOUCHSTONE_LISTENERS_METRICS_ADDRESS=127.0.0.1:0",
		"TOUCHSTONE_LISTENERS_LAB_ADDRESS=127.0.0.1:0",
		"TOUCHSTONE_DATABASE=" + o.Database,
		"TOUCHSTONE_LOG_LEVEL=warn",
	}
	if readyFile != "" {
		env = append(env, "TOUCHSTONE_READY_FILE="+readyFile)
	}
	if o.Seed != "" {
		env = append(env, "TOUCHSTONE_SEED="+o.Seed)
	}
	if o.Clock != "" {
		env = append(env, "TOUCHSTONE_CLOCK="+o.Clock)
	}
	return append(env, o.Settings...)
}

// Start starts a server and stops it when the test ends. A server in this
// process then says which of its requests and answers broke a schema, and the
// test fails for each of them.
func Start(t T, o Options) *Server {
	t.Helper()
	if o.Name == "" {
		o.Name = "hs1"
	}
	if o.Engine == "" {
		o.Engine = SQLite
	}
	if o.Database == "" {
		o.Database = o.Engine.NewDatabase(t, o.Durable || o.Process)
	}
	s := &Server{Name: o.Name, Engine: o.Engine, Database: o.Database, Routes: operations, Judge: judge, options: o}
	s.run(t)
	t.Cleanup(func() {
		if s.running == nil {
			return
		}
		// A connection that was made and not used looks busy to the server.
		transport.CloseIdleConnections()
		if err := s.running.stop(); err != nil {
			t.Errorf("stop %s: %v", s.Name, err)
		}
	})
	return s
}

func (s *Server) run(t T) {
	t.Helper()
	start := startInProcess
	if s.options.Process {
		start = startProcess
	}
	running, err := start(t, s.options)
	if err != nil {
		t.Errorf("start %s: %v", s.Name, err)
		t.FailNow()
	}
	at := running.addresses()
	s.running = running
	s.at.Store(&at)
}

// Process is the server's process, where it is one of its own and runs.
func (s *Server) Process() *Process { return s.running.(*Process) }

// Runs reports whether the server has been started and not been ended.
func (s *Server) Runs() bool { return s.running != nil }

// Kill ends the server's process with no time to tidy up.
func (s *Server) Kill(t T) {
	t.Helper()
	s.end(t, instance.kill)
}

// Stop stops the server gracefully.
func (s *Server) Stop(t T) {
	t.Helper()
	s.end(t, instance.stop)
}

func (s *Server) end(t T, how func(instance) error) {
	t.Helper()
	running := s.running
	s.running = nil
	transport.CloseIdleConnections()
	if err := how(running); err != nil {
		t.Errorf("end %s: %v", s.Name, err)
	}
}

// Restart starts the server again on the same database; its address changes.
func (s *Server) Restart(t T) {
	t.Helper()
	s.run(t)
}

// Violations are what a server in this process has found in requests, after the
// one with the Seq since.
func (s *Server) Violations(since int64) []api.Violation {
	all := s.running.(*inProcess).s.Violations()
	return slices.DeleteFunc(all, func(v api.Violation) bool { return v.Seq <= since })
}

// Unique returns a name that no other caller of this server gets.
func (s *Server) Unique(prefix string) string { return fmt.Sprintf("%s-%d", prefix, s.users.Add(1)) }

// SetClock sets the time at which the next Restart starts.
func (s *Server) SetClock(at time.Time) { s.options.Clock = at.UTC().Format(time.RFC3339Nano) }
