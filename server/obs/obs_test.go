// SPDX-License-Identifier: Apache-2.0

package obs_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/obs"
	"touchstone.example/storage"
)

func TestLogFormats(t *testing.T) {
	write := func(format string) string {
		var b bytes.Buffer
		obs.NewLogger(&b, slog.LevelInfo, format).Info("hello", "n", 1)
		return b.String()
	}
	require.Contains(t, write("text"), "msg=hello n=1\n")
	for _, format := range []string{"json", "auto"} {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(write(format)), &record), format)
		require.Equal(t, "hello", record["msg"])
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "log")
	require.NoError(t, err)
	obs.NewLogger(f, slog.LevelInfo, "auto").Info("hello")
	require.NoError(t, f.Close())
	text, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(text), "{"), "JSON in a file")
}

func TestTheLevelCanChange(t *testing.T) {
	var b bytes.Buffer
	var level slog.LevelVar
	log := obs.NewLogger(&b, &level, "text")
	log.Debug("one")
	level.Set(slog.LevelDebug)
	log.Debug("two")
	require.NotContains(t, b.String(), "one")
	require.Contains(t, b.String(), "two")
}

func TestRecordsCarryTheirContext(t *testing.T) {
	var b bytes.Buffer
	log := obs.NewLogger(&b, slog.LevelInfo, "text")
	outer := obs.With(t.Context(), slog.String("request", "r1"))
	inner := obs.With(outer, slog.String("operation", "sync"))
	sibling := obs.With(outer, slog.String("operation", "send"))
	for ctx, want := range map[context.Context]string{
		t.Context(): "msg=m a=1 b=2\n",
		outer:       "msg=m a=1 b=2 request=r1\n",
		inner:       "msg=m a=1 b=2 request=r1 operation=sync\n",
		sibling:     "msg=m a=1 b=2 request=r1 operation=send\n",
	} {
		b.Reset()
		log.With("a", 1).InfoContext(ctx, "m", "b", 2)
		require.Contains(t, b.String(), want)
	}
	b.Reset()
	log.WithGroup("g").InfoContext(outer, "m")
	require.Contains(t, b.String(), "g.request=r1")
}

func scrape(m *obs.Metrics) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w
}

func TestMetrics(t *testing.T) {
	m := obs.NewMetrics(obs.Build{Version: "v1", Revision: "abc", Go: "go1", Spec: "v1.19"})
	m.Request("sync", 200, 20*time.Millisecond)
	m.Request("sync", 200, 3*time.Second)
	m.Request("", 404, time.Millisecond)
	m.Watch(sources)
	own := prometheus.NewCounter(prometheus.CounterOpts{Name: "touchstone_own_total", Help: "Of a feature."})
	m.Register(own)
	own.Inc()

	w := scrape(m)
	require.Equal(t, http.StatusOK, w.Code)
	for _, line := range []string{
		`touchstone_requests_total{operation="sync",status="200"} 2`,
		`touchstone_requests_total{operation="none",status="404"} 1`,
		`touchstone_request_seconds_bucket{operation="sync",le="0.025"} 1`,
		`touchstone_request_seconds_count{operation="sync"} 2`,
		`touchstone_db_transactions_total{kind="read"} 1`,
		`touchstone_db_transactions_total{kind="write"} 2`,
		`touchstone_db_queries_total 3`,
		`touchstone_db_retries_total 4`,
		`touchstone_feed_lag_positions 5`,
		`touchstone_build_info{go="go1",revision="abc",spec="v1.19",version="v1"} 1`,
		`touchstone_own_total 1`,
		`touchstone_feed_behind_total 6`,
		`go_goroutines `,
	} {
		require.Contains(t, w.Body.String(), "\n"+line)
	}
}

// sources are counts that somebody keeps.
var sources = obs.Sources{
	Database: func() storage.Stats { return storage.Stats{Reads: 1, Writes: 2, Queries: 3, Retries: 4} },
	FeedLag:  func() int64 { return 5 },
	Behind:   func() int64 { return 6 },
}

func TestSeveralServersInOneProcess(t *testing.T) {
	a, b := obs.NewMetrics(obs.ReadBuild("v1.19")), obs.NewMetrics(obs.ReadBuild("v1.19"))
	a.Watch(sources)
	require.Contains(t, scrape(a).Body.String(), `touchstone_db_queries_total`)
	require.NotContains(t, scrape(b).Body.String(), `touchstone_db_queries_total`)
}

func TestNoMetricsCountNothing(t *testing.T) {
	var m *obs.Metrics
	m.Request("sync", 200, 0)
	m.Watch(sources)
	m.Register(nil)
	require.Equal(t, http.StatusNotFound, scrape(m).Code)
}

func TestReadBuildKnowsTheCompiler(t *testing.T) {
	b := obs.ReadBuild("v1.19")
	require.Equal(t, runtime.Version(), b.Go)
	require.Equal(t, "v1.19", b.Spec)
	require.NotEmpty(t, b.Version)
	require.NotEmpty(t, b.Revision)
}
