// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
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

// TestAFolderThatCannotBeWritten: whoever mounts a folder of the host into a
// container is told whose it must be. Nobody can make a folder in /sys.
func TestAFolderThatCannotBeWritten(t *testing.T) {
	cfg := config.Default()
	cfg.Database = "sqlite:///sys/touchstone/touchstone.db"
	_, err := server.Start(t.Context(), cfg, nil)
	require.ErrorContains(t, err, "make the data folder: mkdir /sys/touchstone: ")
	require.ErrorContains(t, err, fmt.Sprintf("this process runs as user %d, who cannot write there", os.Getuid()))
}
