// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/config"
	"touchstone.example/server/run"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// eachDatabase runs a test on a database that is new for each server, on a file
// and on PostgreSQL, where there is one.
func eachDatabase(t *testing.T, fn func(t *testing.T, cfg *config.Config)) {
	urls := map[string]func(t *testing.T) string{
		"temporary": func(*testing.T) string { return "sqlite::memory:" },
		"file":      func(t *testing.T) string { return "sqlite://" + filepath.Join(t.TempDir(), "touchstone.db") },
	}
	for _, engine := range storagetest.Engines() {
		if engine == "postgres" {
			urls[engine] = func(t *testing.T) string { return storagetest.PostgresURL(t) }
		}
	}
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			cfg := config.LabDefault()
			cfg.Database, cfg.Listeners.Client.Address, cfg.Listeners.Metrics.Address = config.Secret(url(t)), "127.0.0.1:0", "127.0.0.1:0"
			cfg.Listeners.Lab.Address = "127.0.0.1:0"
			fn(t, cfg)
		})
	}
}

func startOn(t *testing.T, cfg *config.Config) *Listeners {
	cfg.Passwords = config.Passwords{MemoryKiB: 8, Passes: 1, Threads: 1}
	l, err := Start(context.WithoutCancel(t.Context()), cfg, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

// ask sends a request and returns status and body. The connection must not fail.
func ask(l *Listeners, client *http.Client, method, path, token, body string) (int, map[string]any, error) {
	r, err := http.NewRequest(method, l.ClientURL()+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, err
	}
	var out map[string]any
	return res.StatusCode, out, json.Unmarshal(text, &out)
}

// register makes an account and returns its token.
func register(t *testing.T, l *Listeners, name string) string {
	status, out, err := ask(l, http.DefaultClient, "POST", "/_matrix/client/v3/register", "",
		`{"username":"`+name+`","password":"correct horse battery","auth":{"type":"m.login.dummy"}}`)
	require.NoError(t, err)
	require.Equal(t, 200, status, out)
	return out["access_token"].(string)
}

// TestRequestsFinishWhereTheyBegan: a server that was replaced gets no request any
// more, and stops when those that it has are answered.
func TestRequestsFinishWhereTheyBegan(t *testing.T) {
	l, old := empty(t)
	next := &Server{cfg: l.cfg, log: l.log}
	next.begin(t.Context())
	began, finish := make(chan struct{}, 2), make(chan struct{})
	require.NoError(t, l.open("client", config.TLSListener{Address: "127.0.0.1:0"}, l.handler(func(s *Server) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s != old {
				fmt.Fprint(w, `{"by":"next"}`)
				return
			}
			began <- struct{}{}
			if r.URL.Path == "/news" {
				<-s.waiting.Done()
			} else {
				<-finish
			}
			fmt.Fprintf(w, `{"by":"old","cut":%t}`, r.Context().Err() != nil)
		})
	})))
	answers := map[string]chan map[string]any{"/news": make(chan map[string]any, 1), "/slow": make(chan map[string]any, 1)}
	for path, answer := range answers {
		go func() {
			_, out, _ := ask(l, http.DefaultClient, "GET", path, "", "")
			answer <- out
		}()
		<-began
	}
	l.serve(next)
	retired := make(chan error, 1)
	go func() { retired <- old.retire() }()
	require.Equal(t, "old", (<-answers["/news"])["by"], "who waits for news is answered")
	_, out, err := ask(l, http.DefaultClient, "GET", "/slow", "", "")
	require.NoError(t, err)
	require.Equal(t, "next", out["by"])
	require.Empty(t, retired)
	close(finish)
	require.Equal(t, map[string]any{"by": "old", "cut": false}, <-answers["/slow"])
	require.NoError(t, <-retired)
	require.NoError(t, l.Close(t.Context()))
}

// TestHeldRequests wait for the next server, and those whose client leaves do not.
func TestHeldRequests(t *testing.T) {
	l, _ := empty(t)
	require.NoError(t, l.open("client", config.TLSListener{Address: "127.0.0.1:0"}, only(l, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })))
	l.hold()
	gone, leave := context.WithCancel(t.Context())
	leave()
	require.Nil(t, l.enter(gone))
	answered := make(chan error, 1)
	go func() {
		_, _, err := ask(l, http.DefaultClient, "GET", "/", "", "")
		answered <- err
	}()
	next := &Server{cfg: l.cfg, log: l.log}
	next.begin(t.Context())
	require.Empty(t, answered)
	l.serve(next)
	require.NoError(t, <-answered)
	require.NoError(t, l.Close(t.Context()))
}

// load has clients send, ask and wait for news until stop is called, which returns
// how many answers they got and what was wrong with others.
func load(t *testing.T, l *Listeners, client *http.Client, token string) (stop func() (int64, []string)) {
	_, out, err := ask(l, client, "POST", "/_matrix/client/v3/createRoom", token, "{}")
	require.NoError(t, err)
	room, _ := out["room_id"].(string)
	require.NotEmpty(t, room, out)
	var answers, txn atomic.Int64
	var mu sync.Mutex
	var wrong []string
	ctx, end := context.WithCancel(t.Context())
	g := run.NewGroup(t.Context(), nil)
	for _, next := range []func() (method, path, body string){
		func() (string, string, string) { return "GET", "/_matrix/client/versions", "" },
		func() (string, string, string) { return "GET", "/_matrix/client/v3/account/whoami", "" },
		func() (string, string, string) {
			return "PUT", fmt.Sprintf("/_matrix/client/v3/rooms/%s/send/m.room.message/%d", room, txn.Add(1)), `{"msgtype":"m.text","body":"hello"}`
		},
		func() (string, string, string) {
			return "GET", "/_matrix/client/v3/sync?timeout=20000&since=" + sinceOf(l, client, token), ""
		},
	} {
		g.Go("client", func(context.Context) error {
			for ctx.Err() == nil {
				method, path, body := next()
				status, out, err := ask(l, client, method, path, token, body)
				answers.Add(1)
				if err != nil || status >= 500 && status != 503 {
					mu.Lock()
					wrong = append(wrong, fmt.Sprint(method, " ", path, " ", status, " ", out, " ", err))
					mu.Unlock()
				}
			}
			return nil
		})
	}
	return func() (int64, []string) {
		end()
		l.now().endWaits()
		require.NoError(t, g.Wait())
		return answers.Load(), wrong
	}
}

// sinceOf is a token of a client that has seen everything; none for a client that
// the server does not know any more.
func sinceOf(l *Listeners, client *http.Client, token string) string {
	_, out, _ := ask(l, client, "GET", "/_matrix/client/v3/sync", token, "")
	since, _ := out["next_batch"].(string)
	return since
}

// rebuilds is how often the server is rebuilt under load, by scheme of the
// database: what grows grows with each.
func rebuilds(cfg *config.Config) int {
	switch url := string(cfg.Database); {
	case url == "sqlite::memory:":
		return 15
	case strings.HasPrefix(url, "sqlite:"):
		return 50
	}
	return 5
}

// TestRebuildUnderLoad: clients notice nothing but that long polls are answered,
// and whoever was there before leaves nothing behind.
func TestRebuildUnderLoad(t *testing.T) {
	eachDatabase(t, func(t *testing.T, cfg *config.Config) {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
		l := startOn(t, cfg)
		stop := load(t, l, client, register(t, l, "alice"))
		at := l.ClientURL()
		n := rebuilds(cfg)
		var goroutines int
		var memory uint64
		for i := range n {
			old := l.now()
			require.NoError(t, l.Rebuild(t.Context()))
			require.NotSame(t, old, l.now())
			require.Empty(t, old.work.Running())
			require.Empty(t, old.stream.Running())
			require.NoError(t, old.failedWith())
			if i == n/5 {
				goroutines, memory = runtime.NumGoroutine(), heap()
			}
		}
		require.Equal(t, at, l.ClientURL())
		require.InDelta(t, goroutines, runtime.NumGoroutine(), 30, "goroutines")
		require.Less(t, float64(heap()), float64(memory)+16<<20, "bytes")
		answers, wrong := stop()
		require.Empty(t, wrong)
		require.Greater(t, answers, int64(n), "there was load")
		t.Logf("%d answers during %d rebuilds", answers, n)
		client.CloseIdleConnections()
		require.NoError(t, l.Close(t.Context()))
	})
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestRebuildForgets: what the old server remembered does not count any more, and
// what stands in the database does.
func TestRebuildForgets(t *testing.T) {
	eachDatabase(t, func(t *testing.T, cfg *config.Config) {
		l := startOn(t, cfg)
		token := register(t, l, "alice")
		whoami := func() int {
			status, _, err := ask(l, http.DefaultClient, "GET", "/_matrix/client/v3/account/whoami", token, "")
			require.NoError(t, err)
			return status
		}
		require.Equal(t, 200, whoami())
		require.NoError(t, l.Rebuild(t.Context()))
		if l.Temporary() {
			require.Equal(t, 401, whoami())
			register(t, l, "alice")
			return
		}
		require.Equal(t, 200, whoami())
		if l.now().db.Engine() != "postgres" {
			return // nobody else can write to the file
		}
		admin, err := pgx.Connect(t.Context(), string(cfg.Database))
		require.NoError(t, err)
		defer admin.Close(context.Background())
		_, err = admin.Exec(t.Context(), `DELETE FROM access_tokens`)
		require.NoError(t, err)
		require.Equal(t, 200, whoami(), "from the cache, since nobody said that it changed")
		require.NoError(t, l.Rebuild(t.Context()))
		require.Equal(t, 401, whoami())
	})
}

// TestRebuildThatFails: the old server goes on, or, where it had to stop first, all
// stops and Wait says why.
func TestRebuildThatFails(t *testing.T) {
	eachDatabase(t, func(t *testing.T, cfg *config.Config) {
		l := startOn(t, cfg)
		token := register(t, l, "alice")
		old := l.now()
		cfg.Federation.TrustedCAFile = filepath.Join(t.TempDir(), "nothing.pem")
		require.ErrorContains(t, l.Rebuild(t.Context()), "rebuild: settings: federation.trusted_ca_file")
		if l.oneAtATime() {
			require.ErrorContains(t, l.Wait(), "rebuild: settings: federation.trusted_ca_file")
			require.Error(t, l.Rebuild(t.Context()), "it has stopped")
			return
		}
		require.Same(t, old, l.now())
		status, _, err := ask(l, http.DefaultClient, "GET", "/_matrix/client/v3/account/whoami", token, "")
		require.NoError(t, err)
		require.Equal(t, 200, status)
		cfg.Federation.TrustedCAFile = ""
		require.NoError(t, l.Rebuild(t.Context()))
		require.NoError(t, l.Close(t.Context()))
		require.Error(t, l.Rebuild(t.Context()), "it has stopped")
	})
}

// TestAnotherHistoryIsServed: when another server has found that PostgreSQL was put
// back to an earlier time, this one begins anew behind its listeners, under load.
func TestAnotherHistoryIsServed(t *testing.T) {
	cfg := config.LabDefault()
	cfg.Database, cfg.Listeners.Client.Address = config.Secret(storagetest.PostgresURL(t)), "127.0.0.1:0"
	cfg.Listeners.Lab.Address = ""
	l := startOn(t, cfg)
	token := register(t, l, "alice")
	stop := load(t, l, http.DefaultClient, token)
	old := l.now()
	other, err := storage.Open(t.Context(), string(cfg.Database), storage.Options{})
	require.NoError(t, err)
	defer other.Close()
	require.NoError(t, other.RaiseEpoch(t.Context(), old.feed.Epoch()))
	wantAnother(t, l, old, token)
	_, wrong := stop()
	require.Empty(t, wrong)
	require.NoError(t, l.Close(t.Context()))
}

// wantAnother waits until another server answers, of another epoch.
func wantAnother(t *testing.T, l *Listeners, old *Server, token string) {
	require.Eventually(t, func() bool { return l.now() != old || l.main.Err() != nil }, time.Minute, time.Millisecond)
	require.NoError(t, l.main.Err())
	require.Empty(t, old.stream.Running())
	require.Greater(t, l.now().feed.Epoch(), old.feed.Epoch())
	status, _, err := ask(l, http.DefaultClient, "GET", "/_matrix/client/v3/account/whoami", token, "")
	require.NoError(t, err)
	require.Equal(t, 200, status)
}

// TestAFailoverIsServed: a standby that takes over is another history.
func TestAFailoverIsServed(t *testing.T) {
	cluster := storagetest.NewCluster(t)
	cfg := config.LabDefault()
	cfg.Database, cfg.Listeners.Client.Address = config.Secret(cluster.URL()), "127.0.0.1:0"
	cfg.Listeners.Lab.Address = ""
	l := startOn(t, cfg)
	token := register(t, l, "alice")
	old := l.now()
	cluster.Promote(t)
	wantAnother(t, l, old, token)
	require.NoError(t, l.Close(t.Context()))
}
