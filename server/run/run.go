// SPDX-License-Identifier: Apache-2.0

// Package run starts goroutines. Each has a name and belongs to a group, which
// waits for it and cancels its context; a panic becomes an error. The package
// must not know what the goroutines do.
package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"sync"
)

// A Group is a set of goroutines that stop together. The first one that returns
// an error stops the others, so a goroutine that should survive an error must
// handle it.
type Group struct {
	ctx    context.Context
	cancel context.CancelFunc
	log    *slog.Logger

	mu      sync.Mutex
	idle    *sync.Cond
	stopped bool
	running map[string]int
	errs    []error
}

// A Panic is the error of a goroutine that panicked.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Unwrap returns the value of the panic if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// NewGroup returns an empty group whose goroutines stop when ctx ends. If log
// is nil, nothing is logged.
func NewGroup(ctx context.Context, log *slog.Logger) *Group {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	g := &Group{log: log, running: map[string]int{}}
	g.idle = sync.NewCond(&g.mu)
	g.ctx, g.cancel = context.WithCancel(ctx)
	return g
}

// Go runs fn in a goroutine of the group. The name is used in errors, in
// Running and as a label in profiles. After Stop, Go does nothing.
func (g *Group) Go(name string, fn func(ctx context.Context) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped || g.ctx.Err() != nil {
		return
	}
	g.running[name]++
	go pprof.Do(g.ctx, pprof.Labels("run", name), func(ctx context.Context) {
		var err error
		defer func() { // runs also if fn calls runtime.Goexit
			if v := recover(); v != nil {
				p := &Panic{Value: v, Stack: debug.Stack()}
				g.log.Error("goroutine panicked", "name", name, "panic", fmt.Sprint(v), "stack", string(p.Stack))
				err = p
			}
			g.ended(name, err)
		}()
		err = fn(ctx)
	})
}

func (g *Group) ended(name string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running[name]--; g.running[name] == 0 {
		delete(g.running, name)
	}
	asked := g.ctx.Err() != nil && errors.Is(err, context.Canceled)
	if err != nil && !asked {
		g.errs = append(g.errs, fmt.Errorf("%s: %w", name, err))
		g.stopped = true
		g.cancel()
	}
	if len(g.running) == 0 {
		g.idle.Broadcast()
	}
}

// Stop cancels the context of all goroutines, without waiting for them. It may
// be called more than once.
func (g *Group) Stop() {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	g.cancel()
}

// Done returns a channel that is closed when the group stops, for any reason.
func (g *Group) Done() <-chan struct{} { return g.ctx.Done() }

// Wait waits until all goroutines have ended and returns their errors. A
// cancellation by Stop is not an error. Afterwards the group cannot be used.
func (g *Group) Wait() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.running) > 0 {
		g.idle.Wait()
	}
	g.stopped = true
	g.cancel()
	return errors.Join(g.errs...)
}

// Running returns the names of the goroutines that have not ended, sorted, each
// once.
func (g *Group) Running() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.running))
}
