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
	for _, e := range harness.Engines() {
		t.Run(string(e), func(t *testing.T) {
			test(t, harness.Start(t, harness.Options{Engine: e}))
		})
	}
}
