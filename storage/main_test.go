// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// TestMain ends a full run by asking whether every query that looks up a batch
// of keys has found rows, on every engine that ran: one that never finds any
// would fail silently on one of them.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" {
		fmt.Fprintln(os.Stderr, storagetest.Explain())
		for _, engine := range storagetest.Engines() {
			for _, q := range storage.Queries() {
				if q.Batched && !q.Found[engine] {
					fmt.Fprintf(os.Stderr, "query %s has found no row on %s in any test of this package\n", q.Name, engine)
					code = 1
				}
			}
		}
	}
	os.Exit(code)
}
