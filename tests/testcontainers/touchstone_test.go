// SPDX-License-Identifier: Apache-2.0

package touchstone_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"

	touchstone "touchstone.example/tests/testcontainers"
)

// image is what is tested: .ci/run builds it from the checkout.
func image() string {
	if name := os.Getenv("TOUCHSTONE_IMAGE"); name != "" {
		return name
	}
	return "touchstone"
}

// engine says why no container can be started here, empty where one can.
func engine(ctx context.Context) (why string) {
	defer func() {
		if v := recover(); v != nil { // as testcontainers-go says it
			why = fmt.Sprint("NOT RUN: no container engine: ", v)
		}
	}()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return "NOT RUN: no container engine: " + err.Error()
	}
	defer provider.Close()
	if err := provider.Health(ctx); err != nil {
		return "NOT RUN: no container engine: " + err.Error()
	}
	return ""
}

func run(t *testing.T, opts ...testcontainers.ContainerCustomizer) *touchstone.Container {
	t.Helper()
	if why := engine(t.Context()); why != "" {
		t.Skip(why)
	}
	ctr, err := touchstone.Run(t.Context(), image(), opts...)
	testcontainers.CleanupContainer(t, ctr)
	require.NoError(t, err)
	return ctr
}

func whoami(t *testing.T, ctr *touchstone.Container, token string) int {
	t.Helper()
	base, err := ctr.ClientURL(t.Context())
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), "GET", base+"/_matrix/client/v3/account/whoami", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}

func TestContainer(t *testing.T) {
	ctx := t.Context()
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	ctr := run(t, touchstone.WithServerName("hs1"), touchstone.WithUser("alice", "secret"), touchstone.WithAdmin("root", ""),
		touchstone.WithSeed("seed"), touchstone.WithClock(noon), touchstone.WithProfile(touchstone.Strict),
		touchstone.WithConfigReader(strings.NewReader("log: {level: warn}\n")))
	require.Equal(t, "hs1", ctr.ServerName())

	t.Run("users", func(t *testing.T) {
		alice, ok := ctr.User("alice")
		require.True(t, ok)
		require.Equal(t, "@alice:hs1", alice.ID)
		require.Equal(t, 200, whoami(t, ctr, alice.AccessToken))
		bob, err := ctr.CreateUser(ctx, "bob")
		require.NoError(t, err)
		again, err := ctr.Login(ctx, bob.ID, "LAPTOP")
		require.NoError(t, err)
		require.Equal(t, "LAPTOP", again.DeviceID)
		_, err = ctr.CreateUser(ctx, "bob")
		var refused *touchstone.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "M_USER_IN_USE", refused.ErrCode)
		require.Len(t, ctr.Users(), 2)
	})
	t.Run("clock", func(t *testing.T) {
		c, err := ctr.AdvanceClock(ctx, time.Hour)
		require.NoError(t, err)
		require.Equal(t, noon.Add(time.Hour), c.Now)
		require.False(t, c.Running)
		c, err = ctr.RunClock(ctx)
		require.NoError(t, err)
		require.True(t, c.Running)
		_, err = ctr.FreezeClock(ctx)
		require.NoError(t, err)
		_, err = ctr.SetClock(ctx, noon)
		require.NoError(t, err)
		c, err = ctr.Clock(ctx)
		require.NoError(t, err)
		require.Equal(t, noon, c.Now)
	})
	t.Run("snapshots and reset", func(t *testing.T) {
		alice, _ := ctr.User("alice")
		require.NoError(t, ctr.Snapshot(ctx, "start"))
		require.NoError(t, ctr.Reset(ctx))
		require.Equal(t, 401, whoami(t, ctr, alice.AccessToken))
		require.NoError(t, ctr.Restore(ctx, "start"))
		require.Equal(t, 200, whoami(t, ctr, alice.AccessToken))
		names, err := ctr.Snapshots(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"start"}, names)
		require.NoError(t, ctr.DeleteSnapshot(ctx, "start"))
		require.Error(t, ctr.Restore(ctx, "start"))
	})
	t.Run("violations", func(t *testing.T) {
		alice, _ := ctr.User("alice")
		base, err := ctr.ClientURL(ctx)
		require.NoError(t, err)
		r, err := http.NewRequestWithContext(ctx, "POST", base+"/_matrix/client/v3/createRoom", strings.NewReader(`{"preset":7}`))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+alice.AccessToken)
		r.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 400, res.StatusCode)
		found, err := ctr.Violations(ctx, touchstone.Filter{User: alice.ID})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, "/preset", found[0].Where.Pointer)
		require.Contains(t, found[0].String(), "https://spec.matrix.org/")
		text, err := ctr.JUnit(ctx, touchstone.Filter{})
		require.NoError(t, err)
		require.Contains(t, string(text), "<testsuites")
		text, err = ctr.SARIF(ctx, touchstone.Filter{})
		require.NoError(t, err)
		require.Contains(t, string(text), "2.1.0")
		require.NoError(t, ctr.ClearViolations(ctx, touchstone.Filter{DeviceID: alice.DeviceID, Rule: found[0].Rule, Operation: found[0].Operation}))
		found, err = ctr.Violations(ctx, touchstone.Filter{})
		require.NoError(t, err)
		require.Empty(t, found)
	})
	t.Run("idle", func(t *testing.T) { require.NoError(t, ctr.Idle(ctx)) })
}

// TestHealthy: the image's own check calls a server healthy that answers, with
// settings of its own.
func TestHealthy(t *testing.T) {
	ctr := run(t, touchstone.WithSetting("listeners.client.address", ":8008"))
	code, _, err := ctr.Exec(t.Context(), []string{"/touchstone", "health"})
	require.NoError(t, err)
	require.Zero(t, code)
	require.Eventually(t, func() bool {
		state, err := ctr.State(t.Context())
		return err == nil && state.Health != nil && state.Health.Status == "healthy"
	}, 30*time.Second, 50*time.Millisecond, "as the engine sees it")
}

// TestARunThatFails: an image that there is none of is an error, and cleaning up
// after it does no harm.
func TestARunThatFails(t *testing.T) {
	if why := engine(t.Context()); why != "" {
		t.Skip(why)
	}
	ctr, err := touchstone.Run(t.Context(), image(), touchstone.WithSetting("strictness.profile", "no such profile"))
	testcontainers.CleanupContainer(t, ctr)
	require.ErrorContains(t, err, "run touchstone: ")
}
