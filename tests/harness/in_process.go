// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"

	"touchstone.example/tests/touchstonetest"
)

// inProcess is a server in this process.
type inProcess struct {
	t T
	s *touchstonetest.Server
}

func startInProcess(t T, o Options) (instance, error) {
	out, level := io.Writer(touchstonetest.LogWriter(t)), slog.LevelWarn
	if o.Log != nil {
		out, level = o.Log, slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	s, err := touchstonetest.Start(context.WithoutCancel(t.Context()), touchstonetest.WithEnvironment(o.settings("")...), touchstonetest.WithLog(log))
	if err != nil {
		return nil, err
	}
	return &inProcess{t, s}, nil
}

func (h *inProcess) addresses() Addresses {
	return Addresses{Client: h.s.URL(), Metrics: strings.TrimSuffix(h.s.MetricsURL(), "/metrics"), Lab: h.s.LabURL()}
}

// stop also asks the server what it thinks of its own answers.
func (h *inProcess) stop() error {
	if err := h.s.Close(); err != nil {
		return err
	}
	for _, wrong := range h.s.WrongAnswers() {
		h.t.Errorf("the server's own judge: %s", wrong)
	}
	return nil
}

func (h *inProcess) kill() error { return errors.New("a server in this process cannot be killed") }
