// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/generated/ops"
	"touchstone.example/tests/bodygen"
	"touchstone.example/tests/fakeidentity"
	"touchstone.example/tests/harness"
)

// TestTranscript plays one scenario of more than three hundred requests twice,
// against fresh servers under one seed and one clock: every status, header and
// body must be the same. The scenario calls every operation that the server
// serves.
func TestTranscript(t *testing.T) {
	for _, e := range harness.Engines() {
		t.Run(string(e), func(t *testing.T) {
			is := fakeidentity.New(t) // the same for both: its port is not ours to choose
			first, second := play(t, e, is), play(t, e, is)
			require.GreaterOrEqual(t, len(first), 300, "requests")
			for i := range min(len(first), len(second)) {
				if first[i] != second[i] {
					keep(t, first, second)
				}
				require.Equal(t, first[i], second[i], "request %d", i)
			}
			require.Equal(t, len(first), len(second))
			t.Logf("%d requests, %d bytes", len(first), len(strings.Join(first, "")))
		})
	}
}

// keep leaves both transcripts where a person can compare them.
func keep(t *testing.T, first, second []string) {
	folder, err := os.MkdirTemp("", "transcripts-")
	require.NoError(t, err)
	for name, lines := range map[string][]string{"first": first, "second": second} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(strings.Join(lines, "\n")), 0o644))
	}
	t.Logf("the transcripts are in %s", folder)
}

// play runs the scenario against a fresh server and writes down what happened.
func play(t *testing.T, e harness.Engine, is *fakeidentity.Server) []string {
	var transcript []string
	is.Forget()
	played := t.Run("play", func(t *testing.T) {
		s := harness.Start(t, harness.Options{
			Engine: e, Seed: "transcript", Clock: "2026-01-02T03:04:05Z",
			Settings: []string{
				"TOUCHSTONE_WELL_KNOWN_CLIENT=https://client.example.org", "TOUCHSTONE_WELL_KNOWN_SERVER=federation.example.org:443",
				"TOUCHSTONE_FEDERATION_TRUSTED_CA_FILE=" + is.CAFile(t),
			},
		})
		r := &recording{touched: map[string]bool{}}
		s.Record = r.record
		scenario(t, s, is)
		playRest(t, s, is, r.touched)
		transcript = r.lines
	})
	require.True(t, played)
	return transcript
}

// A recording is what was asked and answered, in the order of the questions.
type recording struct {
	mu      sync.Mutex
	lines   []string
	touched map[string]bool // operations that were served
}

func (r *recording) record(q harness.Request, body []byte) func(*harness.Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.lines)
	r.lines = append(r.lines, "")
	return func(a *harness.Answer) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lines[n] = describe(q, body, a)
		if a.Op != nil && !a.Unfinished() {
			r.touched[a.Op.API+" "+a.Op.ID] = true
		}
	}
}

// describe writes a question and its answer, byte for byte.
func describe(q harness.Request, body []byte, a *harness.Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n%s\n\n%d\n", q.Method, q.Path, body, a.Status)
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(a.Header[name], ", "))
	}
	fmt.Fprintf(&b, "\n%s\n", a.Body)
	return b.String()
}

// playRest calls the operations that the scenario did not. None of them may be
// served: a new operation is added to the scenario.
func playRest(t *testing.T, s *harness.Server, is *fakeidentity.Server, touched map[string]bool) {
	docs, err := bodygen.Load("../spec")
	require.NoError(t, err)
	w := newOperationFixture(t, s, is, "")
	for _, op := range ops.All {
		if op.API != "clientapi" || touched[op.API+" "+op.ID] {
			continue
		}
		c := &operationCase{op: op, doc: docs[op.API+" "+op.ID], s: s, w: w, alice: w.alice}
		a := s.Do(t, c.request(c.minimal()))
		if !a.Unfinished() && c.reachable() {
			t.Errorf("the scenario should call %s, which is served: %s", op.ID, a)
		}
	}
}

// waiting starts a long poll, and returns once the poll has shown that it
// waits.
func waiting(t *testing.T, u *harness.User, since string) <-chan harness.Value {
	t.Helper()
	answers := poll(t, u, since, 2*slow)
	select {
	case v := <-answers:
		require.Fail(t, "the poll does not wait", v.Raw())
	case <-time.After(100 * time.Millisecond):
	}
	return answers
}
