// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/generated/extraapi"
	"touchstone.example/server/config"
	"touchstone.example/storage"
)

// TestLabUnderLoad: resets and restored snapshots beside clients that go on: each
// answer is one of the server before or of the one after, and all have stopped in the end.
func TestLabUnderLoad(t *testing.T) {
	cfg := config.LabDefault()
	cfg.Listeners.Client.Address, cfg.Listeners.Lab.Address = "127.0.0.1:0", "127.0.0.1:0"
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	l := startOn(t, cfg)
	stop := load(t, l, client, register(t, l, "alice"))
	_, err := l.Lab().SaveLabSnapshot(t.Context(), &extraapi.SaveLabSnapshotRequest{Name: "alice"})
	require.NoError(t, err)
	for range 10 {
		_, err = l.Lab().ResetLab(t.Context(), &extraapi.ResetLabRequest{})
		require.NoError(t, err)
		_, err = l.Lab().RestoreLabSnapshot(t.Context(), &extraapi.RestoreLabSnapshotRequest{Name: "alice"})
		require.NoError(t, err)
		_, err = l.Lab().AwaitLabIdle(t.Context(), &extraapi.AwaitLabIdleRequest{})
		require.NoError(t, err)
	}
	old := l.now()
	answers, wrong := stop()
	require.Empty(t, wrong)
	t.Logf("%d answers", answers)
	client.CloseIdleConnections()
	require.NoError(t, l.Close(t.Context()))
	require.ErrorIs(t, old.db.Close(), storage.ErrClosed)
	require.Empty(t, l.main.Running())
}

// TestLabOnEachDatabase: a reset empties whatever database there is; a file is put
// back to a snapshot as a temporary database is.
func TestLabOnEachDatabase(t *testing.T) {
	eachDatabase(t, func(t *testing.T, cfg *config.Config) {
		l := startOn(t, cfg)
		token := register(t, l, "alice")
		whoami := func() int {
			status, _, err := ask(l, http.DefaultClient, "GET", "/_matrix/client/v3/account/whoami", token, "")
			require.NoError(t, err)
			return status
		}
		_, err := l.Lab().SaveLabSnapshot(t.Context(), &extraapi.SaveLabSnapshotRequest{Name: "alice"})
		saved := err == nil
		require.Equal(t, l.now().db.Engine() == "sqlite", saved)
		for range 2 {
			require.Equal(t, 200, whoami())
			_, err := l.Lab().ResetLab(t.Context(), &extraapi.ResetLabRequest{})
			require.NoError(t, err)
			require.Equal(t, 401, whoami())
			require.EqualValues(t, 1, l.now().feed.Epoch())
			if !saved {
				register(t, l, "alice")
				return
			}
			_, err = l.Lab().RestoreLabSnapshot(t.Context(), &extraapi.RestoreLabSnapshotRequest{Name: "alice"})
			require.NoError(t, err)
		}
		require.NoError(t, l.Close(t.Context()))
	})
}

// TestLabNeedsToBeOpenedTwice also where nobody has validated the settings.
func TestLabNeedsToBeOpenedTwice(t *testing.T) {
	cfg := config.LabDefault()
	cfg.Listeners.Client.Address, cfg.Listeners.Lab.Address = "127.0.0.1:0", "0.0.0.0:0"
	_, err := Start(t.Context(), cfg, nil)
	require.ErrorContains(t, err, "others can reach 0.0.0.0:0")
}
