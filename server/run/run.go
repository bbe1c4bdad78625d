// SPDX-License-Identifier: Apache-2.0

// Package run owns goroutines. Each has a name, a group that waits for it and
// a context that ends with the group; a panic becomes an error. It must not
// know what the goroutines do.
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

// A Group is a set of goroutines that stop together. The first one that fails
// stops the others: work that is to outlive its errors handles them itself.
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

// A Panic is the error that a panicking goroutine ends with.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Unwrap returns the value of the panic where that is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// NewGroup returns an empty group whose goroutines stop when ctx ends. A nil
// log is silent.
func NewGroup(ctx context.Context, log *slog.Logger) *Group {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	g := &Group{log: log, running: map[string]int{}}
	g.idle = sync.NewCond(&g.mu)
	g.ctx, g.cancel = context.WithCancel(ctx)
	return g
}

// Go runs fn in a goroutine that the group waits for. The name appears in
// errors, in Running and as a label in profiles. Once the group has been told
// to stop, Go does nothing.
func (g *Group) Go(name string, fn func(ctx context.Context) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped || g.ctx.Err() != nil {
		return
	}
	g.running[name]++
	go pprof.Do(g.ctx, pprof.Labels("run", name), func(ctx context.Context) {
		var err error
		defer func() { // also when fn calls runtime.Goexit
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

// Stop ends the context of all goroutines. It does not wait for them, and may
// be called again.
func (g *Group) Stop() {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	g.cancel()
}

// Done is closed when the group stops, for whatever reason.
func (g *Group) Done() <-chan struct{} { return g.ctx.Done() }

// Wait returns once no goroutine is left, with the errors that they ended
// with. That a goroutine was cancelled by Stop is none. The group is over then.
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

// Err returns the errors that goroutines have ended with so far.
func (g *Group) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(g.errs...)
}

// Running names the goroutines that have not ended, in order, each once.
func (g *Group) Running() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.running))
}
