// SPDX-License-Identifier: Apache-2.0

// Package slicetest has what the tests of one slice need: a real store, a clock
// that stands still, random numbers from a seed, and the generated routes with
// validation of all requests and responses. It must not know any slice.
package slicetest

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/server/env"
	"touchstone.example/server/event"
	"touchstone.example/server/feed"
	"touchstone.example/server/jobs"
	"touchstone.example/server/run"
	"touchstone.example/server/strict"
	"touchstone.example/spec"
	"touchstone.example/storage"
)

// Name is the server that the slices are of.
const Name id.ServerName = "hs1"

// A Fixture is what a slice works with.
type Fixture struct {
	DB    *storage.DB
	Feed  *feed.Feed
	Env   *env.Env
	Clock *env.VirtualClock // Env's
	Log   *slog.Logger
	Jobs  *jobs.Jobs // RunJobs has them done
}

// lease is how soon the jobs of another fixture on the same database are taken
// over.
const lease = 500 * time.Millisecond

// New sets the stage on a database.
func New(t testing.TB, db *storage.DB) *Fixture {
	t.Helper()
	s := &Fixture{DB: db, Clock: env.Frozen(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	s.Env = env.Fixed("stage", s.Clock)
	s.Log = slog.New(slog.NewTextHandler(testLog{t}, nil))
	group := run.NewGroup(context.WithoutCancel(t.Context()), s.Log)
	var err error
	s.Feed, err = feed.Open(t.Context(), db, group, feed.Options{Shared: db.Engine() == "postgres", Log: s.Log})
	require.NoError(t, err)
	t.Cleanup(func() {
		group.Stop()
		require.NoError(t, group.Wait())
	})
	s.Jobs = jobs.New(jobs.Deps{DB: db, Log: s.Log, Lease: lease})
	return s
}

// RunJobs has jobs done until the test ends, or until stop is called.
func (s *Fixture) RunJobs(t testing.TB) (stop func()) {
	group := run.NewGroup(context.WithoutCancel(t.Context()), s.Log)
	group.Go("jobs", s.Jobs.Run)
	stop = func() {
		group.Stop()
		require.NoError(t, group.Wait())
	}
	t.Cleanup(stop)
	return stop
}

// WaitForJobs waits until no job is left to do.
func (s *Fixture) WaitForJobs(t testing.TB) {
	t.Helper()
	require.NoError(t, s.Jobs.Idle(t.Context()))
}

// Router returns a router for a slice's routes, with the profile strict: it refuses
// invalid requests, and an invalid response of ours fails the test.
func (s *Fixture) Router(t testing.TB, cfg api.Config) *api.Router {
	t.Helper()
	// What the engine makes of contents that the judge would refuse is tested here.
	settings, err := strict.Resolve(strict.Strict, map[string]string{strict.EventContent: "report"})
	require.NoError(t, err)
	judge, err := strict.New(strict.Config{Spec: spec.Files, Settings: settings, Answers: true})
	require.NoError(t, err)
	cfg.Checks, cfg.Log = judge.Checks(), s.Log
	t.Cleanup(func() { require.Empty(t, judge.Log().Enforced(strict.Answer)) })
	return api.NewRouter(cfg)
}

// Tokens identifies callers by tokens that name them: "alice" is @alice:hs1
// with the device ALICE, "alice/PHONE" the same user's other device, and
// "guest" and "guest2" are guests.
func Tokens() api.Authenticators {
	return api.Authenticators{
		User: api.TokenAuthenticator(func(_ *http.Request, token string) (api.Caller, error) {
			return Caller(token), nil
		}),
	}
}

// Caller returns the caller that a token of Tokens names.
func Caller(token string) api.Caller {
	name, device, ok := strings.Cut(token, "/")
	if !ok {
		device = strings.ToUpper(name)
	}
	return api.Caller{User: User(name), Device: id.DeviceID(device), Guest: strings.HasPrefix(name, "guest")}
}

// User is the user of a name.
func User(name string) id.UserID { return id.UserID("@" + name + ":" + string(Name)) }

// testLog writes the log into the test's.
type testLog struct{ t testing.TB }

func (l testLog) Write(line []byte) (int, error) {
	l.t.Logf("%s", strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}

// Signer signs the server's events, with a key from the seed.
func (s *Fixture) Signer() event.Signer {
	seed := s.Env.Rand.Bytes("signing key", "", ed25519.SeedSize)
	return event.Signer{Name: Name, KeyID: "ed25519:stage", Key: ed25519.NewKeyFromSeed(seed)}
}
