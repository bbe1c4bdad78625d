// SPDX-License-Identifier: Apache-2.0

package obs

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"touchstone.example/storage"
)

// Metrics counts what the server does. Labels are names that the program
// knows (an operation, a query), never ids, so that their number is bounded.
// All methods may be called on a nil Metrics.
type Metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
}

// Build is the version of the program.
type Build struct {
	Version  string // of the module; "(devel)" when built from a checkout
	Revision string // of the checkout, with -dirty where it was changed
	Go       string
	Spec     string // version of the Matrix specification
}

// ReadBuild returns the build information of the compiler, with the given version of
// the specification.
func ReadBuild(spec string) Build {
	b := Build{Version: "unknown", Revision: "unknown", Go: runtime.Version(), Spec: spec}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.Revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	b.Revision += dirty
	return b
}

// NewMetrics returns counters in a registry of their own, so that several
// servers can live in one process.
func NewMetrics(build Build) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "touchstone_requests_total", Help: "Requests answered, by operation and HTTP status.",
		}, []string{"operation", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "touchstone_request_seconds", Help: "Time to answer a request, by operation; long polls include their waiting.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"operation"}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "touchstone_build_info", Help: "Always 1; the labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": build.Version, "revision": build.Revision, "go": build.Go, "spec": build.Spec},
	})
	info.Set(1)
	m.registry.MustRegister(m.requests, m.durations, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Request counts one answered request. The operation is the specification's
// operationId, or empty for an unknown path.
func (m *Metrics) Request(operation string, status int, took time.Duration) {
	if m == nil {
		return
	}
	if operation == "" {
		operation = "none"
	}
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	m.durations.WithLabelValues(operation).Observe(took.Seconds())
}

// Sources are counts of other packages, read when the metrics are requested.
type Sources struct {
	Database func() storage.Stats
	FeedLag  func() int64 // positions drawn that readers may not see yet
	Behind   func() int64 // reads whose wait for the feed timed out
}

// Watch adds the counts of other packages to the metrics.
func (m *Metrics) Watch(s Sources) {
	count := func(name, help string, labels prometheus.Labels, read func(storage.Stats) int64) {
		m.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels},
			func() float64 { return float64(read(s.Database())) }))
	}
	const transactions = "touchstone_db_transactions_total"
	const help = "Database transactions begun, by kind (read, write)."
	count(transactions, help, prometheus.Labels{"kind": "read"}, func(s storage.Stats) int64 { return s.Reads })
	count(transactions, help, prometheus.Labels{"kind": "write"}, func(s storage.Stats) int64 { return s.Writes })
	count("touchstone_db_queries_total", "Database statements run.", nil, func(s storage.Stats) int64 { return s.Queries })
	count("touchstone_db_retries_total", "Write transactions run again after a conflict.", nil, func(s storage.Stats) int64 { return s.Retries })
	m.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "touchstone_feed_lag_positions", Help: "Stream positions drawn that readers must not see yet.",
	}, func() float64 { return float64(s.FeedLag()) }))
	m.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "touchstone_feed_behind_total", Help: "Reads that waited for a stream position in vain.",
	}, func() float64 { return float64(s.Behind()) }))
}

// Register adds metrics of a feature.
func (m *Metrics) Register(cs ...prometheus.Collector) {
	if m == nil {
		return
	}
	m.registry.MustRegister(cs...)
}

// Handler serves the metrics in Prometheus' format; without metrics, nothing.
func (m *Metrics) Handler() http.Handler {
	if m == nil {
		return http.NotFoundHandler()
	}
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, MaxRequestsInFlight: 4})
}
