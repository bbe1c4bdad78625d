// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"slices"
	"testing"
)

// StartSeveral starts servers that share one PostgreSQL database, each a process
// of its own. Where the machine has none, the test is skipped and says so.
func StartSeveral(t *testing.T, n int) []*Server {
	t.Helper()
	if !slices.Contains(Engines(), Postgres) {
		t.Skip("NOT RUN: several servers need PostgreSQL, and this machine has none")
	}
	servers := []*Server{Start(t, Options{Engine: Postgres, Process: true})}
	for len(servers) < n {
		servers = append(servers, Start(t, Options{Engine: Postgres, Process: true, Database: servers[0].Database}))
	}
	return servers
}
