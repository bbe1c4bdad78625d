// SPDX-License-Identifier: Apache-2.0

package obs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/obs"
	"touchstone.example/storage"
)

var errFull = fmt.Errorf("write: %w: no space left", storage.ErrUnwritable)

func TestAFailureIsLoggedOnceAMinute(t *testing.T) {
	var b bytes.Buffer
	now := time.Duration(0)
	m := obs.NewMetrics(obs.ReadBuild("v1.19"))
	f := obs.NewFailures(obs.NewLogger(&b, slog.LevelInfo, "text"), func() time.Duration { return now }, m)
	for range 3000 {
		require.True(t, f.Seen(t.Context(), errFull))
	}
	require.False(t, f.Seen(t.Context(), errors.New("a bug")))
	require.Equal(t, 1, strings.Count(b.String(), "\n"), b.String())
	require.Contains(t, b.String(), "cannot be written; is its disk full?")
	require.Contains(t, b.String(), "no space left")
	require.True(t, f.Seen(t.Context(), storage.ErrUnavailable), "another kind is told at once")
	require.Equal(t, 2, strings.Count(b.String(), "\n"), b.String())
	now += time.Minute
	f.Seen(t.Context(), errFull)
	require.Equal(t, 3, strings.Count(b.String(), "\n"), b.String())
	require.Contains(t, b.String(), "failed_before=2999")
	require.Contains(t, scrape(m).Body.String(), `touchstone_db_failures_total{kind="unwritable"} 3001`)
}

func TestWhetherTheDatabaseCanBeWritten(t *testing.T) {
	now := time.Hour
	f := obs.NewFailures(slog.New(slog.DiscardHandler), func() time.Duration { return now }, nil)
	probes := 0
	var result error
	writable := func() error {
		return f.Writable(t.Context(), func(context.Context) error { probes++; return result })
	}
	require.NoError(t, writable())
	f.Seen(t.Context(), storage.ErrUnavailable)
	require.NoError(t, writable())
	require.Zero(t, probes, "nothing is written while nothing is wrong")

	f.Seen(t.Context(), errFull)
	require.Equal(t, errFull, writable(), "a small write succeeds on a disk that is nearly full")
	require.Equal(t, errFull, writable())
	require.Equal(t, 1, probes, "at most one write a second")
	now += 20 * time.Second
	result = errFull
	require.Equal(t, errFull, writable())
	now += 20 * time.Second
	result = nil
	require.Equal(t, errFull, writable(), "the last failure is 20 seconds ago")
	now += 20 * time.Second
	require.NoError(t, writable())
	require.Equal(t, 4, probes)
	now += time.Hour
	require.NoError(t, writable())
	require.Equal(t, 4, probes)
}
