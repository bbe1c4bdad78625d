// SPDX-License-Identifier: Apache-2.0

package profiles_test

import (
	"context"
	"testing"

	"touchstone.example/server/jobs"
	"touchstone.example/server/rooms"
	"touchstone.example/storage/storagetest"
)

// TestAnotherProcessFinishesAChangeOfName that one has begun which stands still.
func TestAnotherProcessFinishesAChangeOfName(t *testing.T) {
	url := storagetest.PostgresURL(t)
	begun, wake := make(chan struct{}), make(chan struct{})
	late := make(chan struct{})
	first := newFixtureWith(t, storagetest.OpenURL(t, url), func(r *rooms.Rooms) jobs.Handler {
		steps := 0
		return func(ctx context.Context, j *jobs.Job) (bool, error) {
			if steps++; steps == 2 {
				close(begun)
				<-wake
				defer close(late)
			}
			return r.UpdateProfile(ctx, j)
		}
	})
	joined := first.roomsOf(120)
	first.rename(t.Context(), "Alice")
	<-begun
	var others []*fixture
	for range 2 {
		others = append(others, newFixture(t, storagetest.OpenURL(t, url)))
	}
	others[0].WaitForJobs(t)
	first.requireShown("Alice", joined)
	first.rename(t.Context(), "Ally")
	others[1].WaitForJobs(t)
	first.requireShown("Ally", joined)
	close(wake)
	<-late
	first.requireShown("Ally", joined)
}
