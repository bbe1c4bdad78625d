// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server"
	"touchstone.example/server/config"
)

// TestTheReadyFileBelongsToWhoServes: a second server that cannot start leaves
// alone what the first one has written, which goes when that one stops.
func TestTheReadyFileBelongsToWhoServes(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready.json")
	settings := func(address string) *config.Config {
		cfg := config.Default()
		cfg.Database, cfg.ReadyFile = "sqlite::memory:", ready
		cfg.Listeners.Client.Address = address
		return cfg
	}
	first, err := server.Start(t.Context(), settings("127.0.0.1:0"), nil)
	require.NoError(t, err)
	at := map[string]string{}
	b, err := os.ReadFile(ready)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &at))
	require.Equal(t, map[string]string{"client": first.ClientURL()}, at)

	_, err = server.Start(t.Context(), settings(at["client"][len("http://"):]), nil)
	require.ErrorContains(t, err, "client listener")
	require.FileExists(t, ready)

	require.NoError(t, first.Close(t.Context()))
	require.NoFileExists(t, ready)
}
