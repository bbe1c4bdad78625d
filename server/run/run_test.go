// SPDX-License-Identifier: Apache-2.0

package run_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/run"
)

func untilDone(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestStopEndsEveryGoroutineWithoutAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := run.NewGroup(t.Context(), nil)
		g.Go("b", untilDone)
		g.Go("a", untilDone)
		g.Go("a", untilDone)
		g.Go("short", func(context.Context) error { return nil })
		synctest.Wait()
		require.Equal(t, []string{"a", "b"}, g.Running())
		g.Stop()
		g.Stop()
		require.NoError(t, g.Wait())
		require.Empty(t, g.Running())
	})
}

func TestAFailureStopsTheOthersAndNamesItself(t *testing.T) {
	g := run.NewGroup(t.Context(), nil)
	g.Go("waits", untilDone)
	g.Go("fails", func(context.Context) error { return io.ErrUnexpectedEOF })
	<-g.Done()
	err := g.Wait()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.EqualError(t, err, "fails: unexpected EOF")
}

func TestAnErrorWhileStoppingIsKept(t *testing.T) {
	g := run.NewGroup(t.Context(), nil)
	g.Go("flush", func(ctx context.Context) error {
		<-ctx.Done()
		return errors.New("disk full")
	})
	g.Stop()
	require.EqualError(t, g.Wait(), "flush: disk full")
}

func TestCancellationWithoutStopIsAnError(t *testing.T) {
	g := run.NewGroup(t.Context(), nil)
	g.Go("odd", func(context.Context) error { return context.Canceled })
	require.ErrorIs(t, g.Wait(), context.Canceled)
}

func TestAPanicBecomesAnErrorWithItsStack(t *testing.T) {
	var logged bytes.Buffer
	g := run.NewGroup(t.Context(), slog.New(slog.NewTextHandler(&logged, nil)))
	g.Go("breaks", func(context.Context) error { panic(io.ErrShortWrite) })
	err := g.Wait()
	var p *run.Panic
	require.ErrorAs(t, err, &p)
	require.ErrorIs(t, err, io.ErrShortWrite)
	require.Contains(t, string(p.Stack), "run_test.go")
	require.EqualError(t, err, "breaks: panic: short write")
	require.Contains(t, logged.String(), "name=breaks")
}

func TestGoexitEndsAGoroutine(t *testing.T) {
	g := run.NewGroup(t.Context(), nil)
	g.Go("exits", func(context.Context) error { runtime.Goexit(); return nil })
	require.NoError(t, g.Wait())
}

func TestGoAfterStopDoesNothing(t *testing.T) {
	never := func(context.Context) error { panic("started") }
	stopped := run.NewGroup(t.Context(), nil)
	stopped.Stop()
	stopped.Go("late", never)
	require.NoError(t, stopped.Wait())

	waited := run.NewGroup(t.Context(), nil)
	require.NoError(t, waited.Wait())
	waited.Go("late", never)
	require.NoError(t, waited.Wait())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	orphan := run.NewGroup(ctx, nil)
	orphan.Go("late", never)
	require.NoError(t, orphan.Wait())
}
