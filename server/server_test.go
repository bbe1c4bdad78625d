// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server"
	"touchstone.example/server/config"
)

// TestTrustedCAFile: a server that could trust nobody does not start.
func TestTrustedCAFile(t *testing.T) {
	cfg := config.LabDefault()
	cfg.Federation.TrustedCAFile = filepath.Join(t.TempDir(), "ca.pem")
	_, err := server.Start(t.Context(), cfg, nil)
	require.ErrorContains(t, err, "federation.trusted_ca_file: open ")
	require.NoError(t, os.WriteFile(cfg.Federation.TrustedCAFile, []byte("no certificate"), 0o600))
	_, err = server.Start(t.Context(), cfg, nil)
	require.ErrorContains(t, err, "has no certificate in PEM")
}
