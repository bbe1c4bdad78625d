// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// A process that stands still inside a transaction, its machine paused or its
// network lost, keeps the rows that it has locked for a moment only: PostgreSQL
// ends a transaction of ours that says nothing.
func TestAProcessThatStandsStillHoldsNobodyUp(t *testing.T) {
	url := storagetest.PostgresURL(t)
	paused, err := storage.Open(t.Context(), url, storage.Options{})
	require.NoError(t, err)
	defer paused.Close()
	other, err := storage.Open(t.Context(), url, storage.Options{})
	require.NoError(t, err)
	defer other.Close()
	write := func(db *storage.DB, value string, pause func()) error {
		ctx := context.Background()
		return db.Write(ctx, func(w *storage.Writer) error {
			if err := w.PutServerInfo(ctx, "row", value); err != nil {
				return err
			}
			_, err := w.ServerInfo(ctx, "row") // sends what waits
			pause()
			return err
		})
	}
	inside, resume, done := make(chan struct{}, 8), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- write(paused, "paused", func() {
			inside <- struct{}{}
			<-resume
		})
	}()
	<-inside
	begun := time.Now()
	require.NoError(t, write(other, "other", func() {}))
	waited := time.Since(begun)
	close(resume)
	t.Logf("the other writer waited %v; then the paused one: %v", waited, <-done)
	require.Less(t, waited, 5*time.Second)
}
