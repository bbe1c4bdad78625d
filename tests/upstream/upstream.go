// SPDX-License-Identifier: Apache-2.0

// Package upstream finds a checkout of the Matrix specification, for tests that
// read its examples and schemas, which are not part of this repository.
package upstream

import (
	"os"
	"path/filepath"
	"testing"
)

// Root returns the checkout that UPSTREAM names, else shared/matrix-spec next to
// this repository. If there is none, the test is skipped with a message that says
// what is not tested.
func Root(t testing.TB, to string) string {
	t.Helper()
	root := os.Getenv("UPSTREAM")
	if root == "" { // the working directory of a test is its package, two levels below the root
		root = filepath.Join("..", "..", "..", "shared", "matrix-spec")
	}
	if _, err := os.Stat(filepath.Join(root, "data", "api")); err != nil {
		t.Skipf("NOT RUN: no checkout of the specification; name one in UPSTREAM to %s", to)
	}
	return root
}
