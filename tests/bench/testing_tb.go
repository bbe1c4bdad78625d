// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// A benchTB implements testing.TB for the harness, which expects a test. A
// failure ends the program, after the cleanups.
type benchTB struct {
	testing.TB // for methods that are not called
	name       string
	ctx        context.Context
	cancel     context.CancelFunc
	cleanups   []func()
}

func newBenchTB(name string) *benchTB {
	ctx, cancel := context.WithCancel(context.Background())
	return &benchTB{name: name, ctx: ctx, cancel: cancel}
}

type failure struct{ text string }

func (f failure) Error() string { return f.text }

func (t *benchTB) Helper()                           {}
func (t *benchTB) Name() string                      { return t.name }
func (t *benchTB) Context() context.Context          { return t.ctx }
func (t *benchTB) Cleanup(f func())                  { t.cleanups = append(t.cleanups, f) }
func (t *benchTB) Logf(format string, args ...any)   { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (t *benchTB) Errorf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }
func (t *benchTB) FailNow()                          { panic(failure{"failed"}) }
func (t *benchTB) Skip(args ...any)                  { panic(failure{fmt.Sprint(args...)}) }

func (t *benchTB) TempDir() string {
	folder, err := os.MkdirTemp("", "touchstone-bench-")
	if err != nil {
		t.Errorf("%v", err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// must ends the program if err is not nil.
func (t *benchTB) must(err error) {
	if err != nil {
		t.Errorf("%v", err)
	}
}

// sub runs one part, and then its cleanups.
func (t *benchTB) sub(name string, f func(*benchTB)) {
	s := newBenchTB(name)
	defer func() {
		if failed := s.end(recover()); failed != nil {
			panic(failed)
		}
	}()
	f(s)
}

// end runs the cleanups, the last first, and returns the failure. Other panics
// are passed on.
func (t *benchTB) end(panicked any) (failed error) {
	f, isFailure := panicked.(failure)
	t.cancel()
	for i := range t.cleanups {
		t.cleanups[len(t.cleanups)-1-i]()
	}
	t.cleanups = nil
	switch {
	case panicked == nil:
		return nil
	case isFailure:
		return f
	}
	panic(panicked)
}
