// SPDX-License-Identifier: Apache-2.0

// Package upstream finds a checkout of the Matrix specification for the tests
// that read what this project does not hold: its examples and its own schemas.
package upstream

import (
	"os"
	"path/filepath"
	"testing"
)

// Root is the checkout that UPSTREAM names, else shared/matrix-spec beside ours.
// Without one the test is skipped, and says what is not done for want of it.
func Root(t testing.TB, to string) string {
	t.Helper()
	root := os.Getenv("UPSTREAM")
	if root == "" { // tests run in the folders of their packages, two below the checkout
		root = filepath.Join("..", "..", "..", "shared", "matrix-spec")
	}
	if _, err := os.Stat(filepath.Join(root, "data", "api")); err != nil {
		t.Skipf("NOT RUN: no checkout of the specification; name one in UPSTREAM to %s", to)
	}
	return root
}
