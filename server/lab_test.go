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
