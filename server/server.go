// SPDX-License-Identifier: Apache-2.0

// Package server builds and runs the homeserver: wire.go builds the slices, routes.go
// lists the routes, run.go opens the listeners, rebuild.go replaces the server behind
// them, stop.go stops it.
package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"touchstone.example/api"
	"touchstone.example/server/config"
	"touchstone.example/server/env"
	"touchstone.example/server/feed"
	"touchstone.example/server/jobs"
	"touchstone.example/server/keys"
	"touchstone.example/server/limits"
	"touchstone.example/server/obs"
	"touchstone.example/server/strict"
	"touchstone.example/server/upkeep"
	"touchstone.example/spec"
	"touchstone.example/storage"
)

// Server is the server behind the listeners: a database and everything that uses it. It
// can be replaced, see Rebuild.
type Server struct {
	cfg     *config.Config
	log     *slog.Logger
	env     *env.Env
	build   obs.Build
	metrics *obs.Metrics
	db      *storage.DB
	feed    *feed.Feed
	judge   *strict.Judge
	jobs    *jobs.Jobs
	limits  *limits.Limits
	parts   *features
	failed  *obs.Failures
	roots   *x509.CertPool   // trusted CAs for outbound connections; nil: those of the system
	matrix  http.Handler     // of the listeners for clients and servers
	numbers http.Handler     // of the one for metrics
	served  func(api.Served) // is called for every request
	stages
}

// build makes a server from the settings. It answers when it is passed to serve.
func (l *Listeners) build(ctx context.Context, from beginning) (*Server, error) {
	l.judge.Forget()
	s := &Server{cfg: l.cfg, log: l.log, judge: l.judge, build: obs.ReadBuild(spec.Version), env: from.env}
	if l.lab != nil {
		s.served = l.lab.Coverage.Note
	}
	s.metrics = obs.NewMetrics(s.build)
	s.failed = obs.NewFailures(s.log, env.Stopwatch(), s.metrics)
	s.begin(ctx)
	err := s.openDatabase(ctx, from)
	if err == nil {
		err = l.keepTemplate(ctx, s.db)
	}
	if err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// start starts the goroutines that use the database.
func (s *Server) start(ctx context.Context) (err error) {
	if s.env == nil {
		if s.env, err = newEnv(s.cfg); err != nil {
			return err
		}
	}
	if s.roots, err = trusted(s.cfg.Federation.TrustedCAFile); err != nil {
		return err
	}
	s.limits = limits.New(limits.Options{Failures: s.cfg.RateLimits.Enabled, Now: env.Real().Now})
	if s.feed, err = feed.Open(ctx, s.db, s.stream, feed.Options{Shared: s.db.Engine() == "postgres", Log: s.log}); err != nil {
		return fmt.Errorf("follow the stream: %w", err)
	}
	s.work.Go("upkeep", (&upkeep.Upkeep{DB: s.db, Feed: s.feed, Env: s.env, Log: s.log}).Run)
	s.metrics.Watch(obs.Sources{Database: s.db.Stats, FeedLag: s.feed.SafeLag, Behind: s.feed.Behind})
	signer, err := keys.Own(ctx, s.db, s.env, s.cfg.ServerName)
	if err != nil {
		return err
	}
	s.jobs = jobs.New(jobs.Deps{DB: s.db, Log: s.log, Metrics: s.metrics})
	s.parts = s.wire(signer)
	s.work.Go("jobs", s.jobs.Run)
	s.matrix = s.dated(s.router(s.parts).Handler())
	numbers := http.NewServeMux()
	numbers.Handle("GET /metrics", api.Paced(s.metrics.Handler(), s.writeDeadline))
	s.numbers = numbers
	return nil
}

// newEnv is the real clock and randomness, or those of the settings.
func newEnv(cfg *config.Config) (*env.Env, error) {
	out := env.Real()
	if cfg.Clock != "" {
		clock, err := env.ParseClock(cfg.Clock)
		if err != nil {
			return nil, fmt.Errorf("settings: clock: %w", err)
		}
		out.Clock = clock
	} else if cfg.Lab { // lab mode can change it
		out.Clock = env.RunningFrom(out.Now())
	}
	if cfg.Seed != "" {
		out = env.Fixed(cfg.Seed, out.Clock)
	}
	return out, nil
}

// trusted returns the system's certificate authorities and those of a file.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	const setting = "settings: federation.trusted_ca_file"
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("the machine's certificate authorities: %w", err)
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: %s has no certificate in PEM", setting, file)
	}
	return pool, nil
}

func (s *Server) openDatabase(ctx context.Context, from beginning) error {
	url, err := s.cfg.DatabaseURL()
	if err != nil {
		return err
	}
	if from.empty {
		if err := storage.Erase(ctx, url); err != nil {
			return fmt.Errorf("empty the database: %w", err)
		}
	}
	if path, ok := strings.CutPrefix(url, "sqlite://"); ok {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return whereToWrite(fmt.Errorf("make the data folder: %w", err), url)
		}
	}
	if s.db, err = storage.Open(ctx, url, storage.Options{Checks: s.cfg.Lab, Snapshot: from.snapshot, LastEpoch: from.lastEpoch}); err != nil {
		return whereToWrite(err, url)
	}
	return nil
}

// whereToWrite adds advice to an error about a folder that is not writable, which is
// common in containers.
func whereToWrite(err error, url string) error {
	cannot := errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
	switch {
	case cannot && url == "sqlite::memory:":
		return fmt.Errorf("%w; temporary data needs a folder that can be written (docker run --tmpfs /tmp), or name one in TMPDIR", err)
	case cannot && strings.HasPrefix(url, "sqlite:"):
		return fmt.Errorf("%w; this process runs as user %d, who cannot write there: give that user the folder (chown %[2]d), or run as its owner (docker run --user)", err, os.Getuid())
	}
	return err
}

// legacy are the path prefixes from before v1.1, which deployed clients still use.
var legacy = map[string]string{
	"/_matrix/client/v3/": "/_matrix/client/r0/",
	"/_matrix/media/v3/":  "/_matrix/media/r0/",
}

// twins are operations of the specification under the paths that they had while
// they were proposed, which deployed clients still try (rule unstable-twins).
var twins = map[string]string{
	"/_matrix/client/v3/keys/device_signing/upload": "/_matrix/client/unstable/keys/device_signing/upload",
	"/_matrix/client/v3/keys/signatures/upload":     "/_matrix/client/unstable/keys/signatures/upload",
}

// aliases are the further paths of operations.
func (s *Server) aliases() map[string]string {
	all := maps.Clone(legacy)
	if s.judge.Lenient(strict.UnstableTwins) {
		maps.Copy(all, twins)
	}
	return all
}

// router is everything that the client listener answers.
func (s *Server) router(parts *features) *api.Router {
	r := api.NewRouter(api.Config{
		Auth:      parts.authenticators(),
		Permit:    parts.accounts.Permit,
		Checks:    s.judge.Checks(),
		Bounds:    s.limits,
		Aliases:   s.aliases(),
		Failure:   s.failure,
		Log:       s.log,
		RequestID: func() string { return s.env.Rand.Token("request id", "", 12) },
		Boundary:  func() string { return s.env.Rand.Token("multipart boundary", "", 24) },
		Context: func(ctx context.Context, name string) context.Context {
			return obs.With(ctx, slog.String("request_id", name))
		},
		TrustedProxies: s.cfg.Listeners.Proxies(),
		BodyDeadline: func(*api.Operation) time.Time {
			return env.Real().Now().Add(time.Duration(s.cfg.Listeners.BodyTimeout))
		},
		WriteDeadline: s.writeDeadline,
		Now:           newStopwatch(),
		Clock:         s.env.Now,
		Observe: func(op *api.Operation, status int, took time.Duration) {
			name := ""
			if op != nil {
				name = op.API + "." + op.ID
			}
			s.metrics.Request(name, status, took)
		},
		Served: s.served,
	})
	parts.mountClient(r)
	parts.mountFederation(r)
	parts.mountExtra(r)
	return r
}

// writeDeadline is by when a client must read the next piece of its answer.
func (s *Server) writeDeadline() time.Time {
	return env.Real().Now().Add(time.Duration(s.cfg.Listeners.WriteTimeout))
}

// dated sets the Date header to the clients' clock, if that is not the real one.
func (s *Server) dated(next http.Handler) http.Handler {
	if s.cfg.Clock == "" && !s.cfg.Lab {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", s.env.Now().Format(http.TimeFormat))
		next.ServeHTTP(w, r)
	})
}

// failure converts database failures, which affect all requests, to the client's error.
func (s *Server) failure(ctx context.Context, err error) *api.Error {
	if !s.failed.Seen(ctx, err) {
		return nil
	}
	text := "The server's database does not answer; try again later"
	if errors.Is(err, storage.ErrUnwritable) {
		text = "The server cannot store anything at the moment; try again later"
	}
	return api.Errorf(http.StatusServiceUnavailable, "M_UNKNOWN", "%s", text)
}

// infoProbe is the value that is written to test whether the database is writable.
const infoProbe = "write_probe"

// writable returns why the database cannot be written, or nil.
func (s *Server) writable(ctx context.Context) error {
	return s.failed.Writable(ctx, func(ctx context.Context) error {
		return s.db.Write(ctx, func(tx *storage.Writer) error { return tx.PutServerInfo(ctx, infoProbe, "") })
	})
}

// newStopwatch is a clock for durations in real time, whatever time clients see.
func newStopwatch() func() time.Time {
	since, start := env.Stopwatch(), time.Time{}
	return func() time.Time { return start.Add(since()) }
}

// postgresName describes a PostgreSQL URL: user, host and database, without the
// password.
func postgresName(url string) string {
	c, err := pgconn.ParseConfig(url)
	if err != nil {
		return "PostgreSQL"
	}
	at := c.Host
	if !strings.HasPrefix(at, "/") { // a socket has no port
		at = net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
	}
	return fmt.Sprintf("PostgreSQL at %s, database %s, user %s", at, c.Database, c.User)
}
