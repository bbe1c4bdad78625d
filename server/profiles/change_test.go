// SPDX-License-Identifier: Apache-2.0

package profiles_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// roomsOf makes rooms of bob's that alice joins.
func (h *fixture) roomsOf(n int) (rooms []string) {
	for range n {
		room := h.ok("POST", slicetest.Path("v3/createRoom"), "bob", slicetest.O{"preset": "public_chat"}).At("room_id")
		h.ok("POST", slicetest.Path("v3/rooms/{}/join", room), "alice", slicetest.O{})
		rooms = append(rooms, room)
	}
	return rooms
}

// shown is the name that a room shows for alice.
func (h *fixture) shown(room string) string {
	return h.ok("GET", memberPath(room, "alice"), "bob", nil).At("displayname")
}

func (h *fixture) requireShown(name string, rooms []string) {
	h.t.Helper()
	for i, room := range rooms {
		require.Equal(h.t, name, h.shown(room), "room %d", i)
	}
}

// rename changes alice's name by a request that ends with a context.
func (h *fixture) rename(ctx context.Context, name string) {
	body := fmt.Sprintf(`{"displayname":%q}`, name)
	r := httptest.NewRequestWithContext(ctx, http.MethodPut, field("alice", "displayname"), strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer alice")
	defer func() {
		if v := recover(); v != nil { // how a handler ends whose client is gone
			require.Equal(h.t, http.ErrAbortHandler, v)
		}
	}()
	h.router.ServeHTTP(httptest.NewRecorder(), r)
}

// TestAChangeOfNameGoesOnAfterAHangUp: the client is gone when its name has
// come to the first room.
func TestAChangeOfNameGoesOnAfterAHangUp(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		rooms := h.roomsOf(40)
		ctx, hangUp := context.WithCancel(t.Context())
		defer hangUp()
		var changing sync.WaitGroup
		changing.Go(func() { h.rename(ctx, "Alice") })
		since := h.Feed.Stamp()
		for h.shown(rooms[0]) == "" {
			var err error
			since, err = h.Feed.Wait(t.Context(), since)
			require.NoError(t, err)
		}
		hangUp()
		changing.Wait()
		h.WaitForJobs(t)
		h.requireShown("Alice", rooms)
	})
}

// TestTheLastOfTwoChangesOfNameStands in all rooms, whichever it is.
func TestTheLastOfTwoChangesOfNameStands(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		rooms := h.roomsOf(10)
		for range 3 {
			var changing sync.WaitGroup
			for _, name := range []string{"one", "two", "three", "four"} {
				changing.Go(func() { h.rename(t.Context(), name) })
			}
			changing.Wait()
			h.WaitForJobs(t)
			h.requireShown(h.ok("GET", field("alice", "displayname"), "", nil).At("displayname"), rooms)
		}
	})
}

// TestAJoinBesideAChangeOfNameShowsTheNewOne, and so does a room that is made
// beside it.
func TestAJoinBesideAChangeOfNameShowsTheNewOne(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) { h.joinBesideChange(h) })
}

// TestAJoinBesideAChangeOnAnotherProcessShowsTheNewName.
func TestAJoinBesideAChangeOnAnotherProcessShowsTheNewName(t *testing.T) {
	url := storagetest.PostgresURL(t)
	newFixture(t, storagetest.OpenURL(t, url)).joinBesideChange(newFixture(t, storagetest.OpenURL(t, url)))
}

// joinBesideChange has alice join and make rooms while her name changes at another
// server.
func (h *fixture) joinBesideChange(other *fixture) {
	t := h.t
	var rooms []string
	for range 20 {
		rooms = append(rooms, h.ok("POST", slicetest.Path("v3/createRoom"), "bob", slicetest.O{"preset": "public_chat"}).At("room_id"))
	}
	for i, room := range rooms {
		name := fmt.Sprint("name ", i)
		made := ""
		var racing sync.WaitGroup
		racing.Go(func() { other.rename(t.Context(), name) })
		racing.Go(func() {
			slicetest.Do(t, h.router, "POST", slicetest.Path("v3/rooms/{}/join", room), "alice", slicetest.O{})
		})
		racing.Go(func() {
			a := slicetest.Do(t, h.router, "POST", slicetest.Path("v3/createRoom"), "alice", slicetest.O{"preset": "public_chat", "invite": slicetest.L{slicetest.User("bob")}})
			made = a.At("room_id")
		})
		racing.Wait()
		h.WaitForJobs(t)
		require.Equal(t, name, h.shown(room), "the room that was joined")
		require.Equal(t, name, h.ok("GET", memberPath(made, "alice"), "alice", nil).At("displayname"), "the room that was made")
	}
}

// TestARoomThatRefusesANameKeepsTheOldOne, and the others do not: there the
// member event would become too large.
func TestARoomThatRefusesANameKeepsTheOldOne(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		rooms := h.roomsOf(3)
		h.ok("PUT", memberPath(rooms[1], "alice"), "alice", slicetest.O{"membership": "join", "filler": strings.Repeat("x", 64500)})
		name := strings.Repeat("n", 1000)
		h.set("alice", "displayname", name)
		h.WaitForJobs(t)
		require.Empty(t, h.shown(rooms[1]))
		h.requireShown(name, []string{rooms[0], rooms[2]})
	})
}
