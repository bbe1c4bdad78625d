// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/feed"
	"touchstone.example/tests/harness"
)

// hopRounds is how often a client changes servers in each of these tests. Before
// reads reached a token's position, a sixth to nine tenths of the rounds failed.
const hopRounds = 40

// A token that one server gave is good on the next one at once, however far
// that one has come: what lies before it is read, all of it and nothing else.
//
// Spec: client-server getRoomEvents, "from".
func TestPagingContinuesWithAnotherServersToken(t *testing.T) {
	servers := harness.StartSeveral(t, 2)
	alice := servers[0].User(t, "alice")
	room := alice.PublicRoom(t)
	there := alice.On(servers[1])
	since := alice.Since(t)
	wrong := 0
	for range hopRounds {
		var sent []string
		for range 4 {
			sent = append(sent, alice.Send(t, room, "a message"))
		}
		v := alice.SyncUntil(t, since, harness.HasEvent(room, sent[3]), "filter", limit(1))
		since = v.At("next_batch").String()
		shown := harness.IDs(harness.Timeline(v, room))
		page := there.Messages(t, room, "dir", "b", "limit", 4, "from", joined(v, room).At("timeline", "prev_batch").String())
		told := append(harness.IDs(page.At("chunk").List()), shown...)
		for _, id := range sent {
			if !slices.Contains(told, id) {
				wrong++
				break
			}
		}
	}
	require.Zero(t, wrong, "rounds of %d in which messages were left out", hopRounds)
}

// full_state sends the whole state again, and the timeline still begins at since.
//
// Spec: client-server sync, "full_state".
func TestFullStateIsNotOlderThanToken(t *testing.T) {
	servers := harness.StartSeveral(t, 2)
	alice := servers[0].User(t, "alice")
	room := alice.PublicRoom(t)
	there := alice.On(servers[1])
	since, earlier, twice := alice.Since(t), 0, 0
	for range hopRounds {
		var sent []string
		for range 4 {
			sent = append(sent, alice.Send(t, room, "a message"))
		}
		v := alice.SyncUntil(t, since, harness.HasEvent(room, sent[3]))
		since = v.At("next_batch").String()
		v = there.Sync(t, "since", since, "full_state", "true")
		if position(t, v.At("next_batch").String()) < position(t, since) {
			earlier++
		}
		since = v.At("next_batch").String()
		v = alice.Sync(t, "since", since)
		if len(harness.Timeline(v, room)) > 0 {
			twice++
		}
		since = v.At("next_batch").String()
	}
	require.Zero(t, earlier, "tokens of %d that are earlier than since", hopRounds)
	require.Zero(t, twice, "rounds of %d in which messages came twice", hopRounds)
}

// A request without a token shows on every server what any server has acknowledged.
func TestReadsShowAcknowledgedWrites(t *testing.T) {
	servers := harness.StartSeveral(t, 2)
	alice := servers[0].User(t, "alice")
	room := alice.PublicRoom(t)
	there := alice.On(servers[1])
	there.Sync(t)
	pages, syncs := 0, 0
	for range hopRounds {
		sent := alice.Send(t, room, "a message")
		page := there.Messages(t, room, "dir", "b", "limit", 1)
		if !slices.Contains(harness.IDs(page.At("chunk").List()), sent) {
			pages++
		}
		sent = alice.Send(t, room, "another")
		if !slices.Contains(harness.IDs(harness.Timeline(there.Sync(t), room)), sent) {
			syncs++
		}
	}
	require.Zero(t, pages, "pages of %d without the newest message", hopRounds)
	require.Zero(t, syncs, "initial syncs of %d without the newest message", hopRounds)
}

func position(t *testing.T, token string) int64 {
	t.Helper()
	out, err := feed.ParseToken(token)
	require.NoError(t, err)
	return out.Pos
}
