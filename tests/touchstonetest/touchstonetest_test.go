// SPDX-License-Identifier: Apache-2.0

package touchstonetest_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/touchstonetest"
)

const client = "/_matrix/client/v3/"

// createRoom makes a room that everybody may join.
func createRoom(t *testing.T, u *touchstonetest.User) string {
	t.Helper()
	var room struct {
		ID string `json:"room_id"`
	}
	u.Do(t, "POST", client+"createRoom", map[string]any{"preset": "public_chat"}).Decode(t, &room)
	require.NotEmpty(t, room.ID)
	return room.ID
}

func TestUsersAreLoggedIn(t *testing.T) {
	s := touchstonetest.New(t, touchstonetest.WithServerName("hs1"))
	require.Equal(t, "hs1", s.Name())
	users := s.Users(t, "alice", "bob")
	for i, name := range []string{"@alice:hs1", "@bob:hs1"} {
		require.Equal(t, name, users[i].ID)
		a := users[i].Do(t, "GET", client+"account/whoami", nil)
		require.Equal(t, 200, a.Status, a)
		require.Contains(t, string(a.Body), users[i].Device)
	}
	s.Create(t, touchstonetest.NewUser{Localpart: "carol", Password: "secret", Admin: true, Device: "PHONE"})
	require.Equal(t, "TABLET", s.Login(t, "@carol:hs1", "TABLET").Device)
	require.Empty(t, s.WrongAnswers())
}

func TestServersSideBySide(t *testing.T) {
	a, b := touchstonetest.New(t), touchstonetest.New(t)
	require.NotEqual(t, a.URL(), b.URL())
	token := a.User(t, "alice").Token
	alice := b.User(t, "alice")
	require.NotEqual(t, token, alice.Token)
}

func TestResetAndSnapshots(t *testing.T) {
	s := touchstonetest.New(t)
	alice := s.User(t, "alice")
	s.Snapshot(t, "alice only")
	s.User(t, "bob")
	s.Restore(t, "alice only")
	s.User(t, "bob")
	require.Equal(t, 200, alice.Do(t, "GET", client+"account/whoami", nil).Status)
	s.Reset(t)
	require.Equal(t, 401, alice.Do(t, "GET", client+"account/whoami", nil).Status)
	s.Restore(t, "alice only")
	require.Equal(t, 200, alice.Do(t, "GET", client+"account/whoami", nil).Status)
}

func TestTheClockIsTheTests(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	s := touchstonetest.New(t, touchstonetest.WithClock(noon))
	require.Equal(t, noon, s.Clock().Now())
	s.Clock().Advance(time.Hour)
	alice := s.User(t, "alice")
	room := createRoom(t, alice)
	var page struct {
		Chunk []struct {
			At int64 `json:"origin_server_ts"`
		}
	}
	alice.Do(t, "GET", client+"rooms/"+url.PathEscape(room)+"/messages?dir=b&limit=1", nil).Decode(t, &page)
	require.Equal(t, noon.Add(time.Hour).UnixMilli(), page.Chunk[0].At)
	s.Reset(t)
	require.Equal(t, noon, s.Clock().Now(), "as at the start")
	s.Clock().Run()
	s.Clock().Freeze()
	s.Clock().Set(noon)
}

func TestCoverage(t *testing.T) {
	s := touchstonetest.New(t)
	alice := s.User(t, "alice")
	alice.Do(t, "GET", client+"account/whoami", nil)
	alice.Do(t, "POST", client+"createRoom", "no JSON")
	s.Idle(t)
	calls := s.Coverage()
	require.Len(t, calls, 2)
	require.Equal(t, touchstonetest.Call{
		Operation: "clientapi.createRoom", User: alice.ID, Agent: "Go-http-client/1.1", Calls: 1, Refused: 1,
	}, calls[0])
	require.EqualValues(t, 1, calls[1].Clean)
}

// A recordingT notes what fails in place of failing.
type recordingT struct {
	testing.TB
	failures []string
	cleanups []func()
}

func (*recordingT) Helper()            {}
func (t *recordingT) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }
func (t *recordingT) Errorf(format string, args ...any) {
	t.failures = append(t.failures, fmt.Sprintf(format, args...))
}

// TestViolationsFailTheTest that asked for it, each with its rule and section.
func TestViolationsFailTheTest(t *testing.T) {
	r := &recordingT{TB: t}
	s := touchstonetest.New(r, touchstonetest.FailOnViolations())
	alice := s.User(t, "alice")
	alice.Do(t, "POST", client+"createRoom", map[string]any{"preset": 7})
	require.Len(t, s.Violations(), 1)
	require.Len(t, s.ViolationsOf(alice.ID), 1)
	require.Empty(t, s.ViolationsOf("@bob:localhost"))
	for _, f := range r.cleanups {
		f()
	}
	require.Len(t, r.failures, 1)
	require.Contains(t, r.failures[0], "/preset")
	s.ReportViolations(r, s.Violations()[0].Rule)
	require.Len(t, r.failures, 1, "a rule that the client is known to break")
	require.Contains(t, r.failures[0], "https://spec.matrix.org/")
	s.ClearViolations()
	require.Empty(t, s.Violations())
}

// TestTwoRunsAreTheSame: under a seed and a clock that stands still, what is done
// again gets the same bytes.
func TestTwoRunsAreTheSame(t *testing.T) {
	scenario := func(t *testing.T) (all string) {
		s := touchstonetest.New(t, touchstonetest.WithSeed("seed"), touchstonetest.WithClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)))
		note := func(a *touchstonetest.Answer) {
			all += fmt.Sprintln(a.Status, a.Header, string(a.Body))
		}
		users := s.Users(t, "alice", "bob")
		for range 2 {
			for _, u := range users {
				note(u.Do(t, "POST", client+"createRoom", map[string]any{"preset": "public_chat", "name": u.ID}))
				note(u.Do(t, "POST", client+"createRoom", map[string]any{"preset": 7, "name": nil}))
				note(u.Do(t, "PUT", client+"profile/"+u.ID+"/displayname", map[string]any{"displayname": "Somebody"}))
				s.Idle(t)
				note(u.Do(t, "GET", client+"sync", nil))
				s.Clock().Advance(time.Minute)
			}
			s.Snapshot(t, "x")
			s.Restore(t, "x")
		}
		require.NotEmpty(t, s.Violations())
		for _, v := range s.Violations() {
			all += v.Error() + fmt.Sprintln(v.Time, v.Request)
		}
		s.Reset(t)
		return all + s.User(t, "alice").Token
	}
	require.Equal(t, scenario(t), scenario(t))
}
