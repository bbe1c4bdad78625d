// SPDX-License-Identifier: Apache-2.0

package touchstonetest_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"touchstone.example/tests/touchstonetest"
)

// An exampleT stands for the *testing.T that a test would pass.
type exampleT struct {
	testing.TB
	cleanups []func()
}

func (*exampleT) Helper()                           {}
func (*exampleT) Context() context.Context          { return context.Background() }
func (*exampleT) Logf(string, ...any)               {}
func (*exampleT) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (*exampleT) FailNow()                          { panic("the example failed") }
func (t *exampleT) Cleanup(f func())                { t.cleanups = append(t.cleanups, f) }

func (t *exampleT) end() {
	for i := range t.cleanups {
		t.cleanups[len(t.cleanups)-1-i]()
	}
}

// A test starts a server, makes a user and gives both to the client that it is
// about.
func ExampleNew() {
	t := &exampleT{} // in a test: its *testing.T
	defer t.end()

	s := touchstonetest.New(t)
	alice := s.User(t, "alice")

	request, err := http.NewRequest("GET", s.URL()+"/_matrix/client/v3/account/whoami", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	request.Header.Set("Authorization", "Bearer "+alice.Token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status, alice.ID)
	// Output: 200 OK @alice:localhost
}

// With a clock that stands still, a test says what time it is.
func ExampleServer_Clock() {
	t := &exampleT{} // in a test: its *testing.T
	defer t.end()

	s := touchstonetest.New(t, touchstonetest.WithClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)))
	s.Clock().Advance(24 * time.Hour)
	fmt.Println(s.Clock().Now())
	// Output: 2026-01-03 12:00:00 +0000 UTC
}

// What takes long to set up is made once, and restored for each test.
func ExampleServer_Restore() {
	t := &exampleT{} // in a test: its *testing.T
	defer t.end()

	s := touchstonetest.New(t)
	alice := s.User(t, "alice")
	s.Snapshot(t, "alice is there")

	for range 2 {
		answer := alice.Do(t, "POST", "/_matrix/client/v3/createRoom", map[string]any{"room_alias_name": "lobby", "preset": "public_chat"})
		fmt.Println(answer.Status)
		s.Restore(t, "alice is there")
	}
	// Output:
	// 200
	// 200
}
