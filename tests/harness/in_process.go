// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"

	"touchstone.example/server"
	"touchstone.example/server/config"
)

// inProcess is a server in this process.
type inProcess struct {
	t T
	s *server.Listeners
}

func startInProcess(t T, o Options) (instance, error) {
	cfg, err := config.Load(config.Sources{Env: o.settings("")})
	if err != nil {
		return nil, err
	}
	out := io.Writer(testLog{t})
	if o.Log != nil {
		out = o.Log
	}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: cfg.Log.Level}))
	s, err := server.Start(context.WithoutCancel(t.Context()), cfg, log)
	if err != nil {
		return nil, err
	}
	return &inProcess{t, s}, nil
}

func (h *inProcess) addresses() Addresses {
	return Addresses{Client: h.s.ClientURL(), Metrics: strings.TrimSuffix(h.s.MetricsURL(), "/metrics")}
}

// stop also asks the server what it thinks of its own answers.
func (h *inProcess) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := h.s.Close(ctx); err != nil {
		return err
	}
	for _, v := range h.s.Violations() {
		h.t.Errorf("the server's own judge: %s, %d times", v.Error(), v.Times)
	}
	return nil
}

func (h *inProcess) kill() error { return errors.New("a server in this process cannot be killed") }

// testLog writes the server's log into the test's.
type testLog struct{ t T }

func (l testLog) Write(line []byte) (int, error) {
	l.t.Logf("%s", strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}
