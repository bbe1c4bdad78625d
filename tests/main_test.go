// SPDX-License-Identifier: Apache-2.0

// Package tests drives the server only over HTTP, as a client does.
package tests

import (
	"testing"

	"touchstone.example/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// eachEngine runs a test on every engine that this machine has, with a server
// of its own for each.
func eachEngine(t *testing.T, test func(t *testing.T, s *harness.Server)) {
	each(t, harness.Options{}, test)
}

// eachDurable is eachEngine for tests that stop the server and start it again.
func eachDurable(t *testing.T, test func(t *testing.T, s *harness.Server)) {
	each(t, harness.Options{Durable: true}, test)
}

func each(t *testing.T, o harness.Options, test func(t *testing.T, s *harness.Server)) {
	harness.EachEngine(t, func(t *testing.T, e harness.Engine) {
		o := o
		o.Engine = e
		test(t, harness.Start(t, o))
	})
}
