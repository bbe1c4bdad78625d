// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/harness"
)

// TestJavaScriptClients runs each program of js/ against a server of its own.
func TestJavaScriptClients(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("not run: there is no Node.js")
	}
	if _, err := os.Stat(filepath.Join("js", "node_modules", "matrix-js-sdk")); err != nil {
		t.Skip("not run: the clients are not installed; make test-clients does that")
	}
	programs, err := filepath.Glob(filepath.Join("js", "*.mjs"))
	require.NoError(t, err)
	require.NotEmpty(t, programs)
	for _, program := range programs {
		t.Run(filepath.Base(program), func(t *testing.T) {
			s := harness.Start(t, harness.Options{})
			cmd := exec.CommandContext(t.Context(), "node", filepath.Base(program), s.URL())
			cmd.Dir = "js"
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			t.Logf("%s", out)
		})
	}
}
