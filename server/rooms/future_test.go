// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/feed"
	"touchstone.example/server/run"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// Tokens of a future that has not happened, of before a backup was restored or
// made up: /sync starts anew, and pages and lists are as of now. Nobody else
// notices: anybody can write one.
func TestTokensOfTheFuture(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Public("bob")
		sent := h.Send("alice", room, "here")
		sync := func(since string) slicetest.Answer {
			return h.OK("GET", slicetest.Path("v3/sync?timeout=0")+slicetest.Query("since", since), "alice", nil)
		}
		epoch := h.Feed.Epoch()
		good := feed.Token{Epoch: epoch, Pos: h.Feed.Stamp()}.String()
		for _, token := range []string{
			"s1_1_zzzz_0",
			feed.Token{Epoch: epoch, Pos: h.Feed.Stamp() + 1}.String(),
			feed.Token{Epoch: epoch + 1, Pos: 1}.String(),
			feed.Token{Epoch: epoch + 1_000_000}.String(),
		} {
			a := sync(token)
			require.Contains(t, a.Body, sent, "everything, for %s", token)
			require.Equal(t, good, a.At("next_batch"), "the epoch stays as it is")
			page := h.OK("GET", roomtest.At(room, "messages?dir=b&from="+token), "alice", nil)
			require.Contains(t, page.At("chunk"), sent)
			page = h.OK("GET", roomtest.At(room, "messages?dir=f&to="+token), "alice", nil)
			require.Contains(t, page.At("chunk"), `"m.room.create"`)
			members := roomtest.Names(t, h.OK("GET", roomtest.At(room, "members?at="+token), "alice", nil).At("chunk"))
			require.Equal(t, []string{"alice join", "bob join"}, members)
		}
		require.Equal(t, good, sync(good).At("next_batch"))
		require.NotContains(t, sync(good).Body, sent)
	})
}

// While a writer holds the stream up, a sync that cannot get to its client's
// position says nothing, and gives the client its own token back; what cannot
// be told without is refused for a moment; who has no token gets what there is.
func TestReadsWhileTheStreamIsHeldUp(t *testing.T) {
	url := storagetest.PostgresURL(t)
	h := newFixture(t, storagetest.OpenURL(t, url))
	room := h.Public()
	h.Send("alice", room, "before")

	other := storagetest.OpenURL(t, url)
	group := run.NewGroup(context.WithoutCancel(t.Context()), nil)
	follow, err := feed.Open(t.Context(), other, group, feed.Options{
		Shared: true, Log: h.Log, TokenTimeout: 20 * time.Millisecond, NewestTimeout: 20 * time.Millisecond,
	})
	require.NoError(t, err)
	defer func() {
		group.Stop()
		require.NoError(t, group.Wait())
	}()
	router := h.another(func(d *roomtest.Deps) {
		d.Rooms.DB, d.Rooms.Feed, d.Messages.DB, d.Messages.Feed = other, follow, other, follow
	}).Handler

	writer, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer writer.Close(context.Background())
	tx, err := writer.Begin(t.Context())
	require.NoError(t, err)
	for _, stmt := range []string{`LOCK TABLE changes IN ROW EXCLUSIVE MODE`, `SELECT pg_current_xact_id()`, `SELECT nextval('positions')`} {
		_, err := tx.Exec(t.Context(), stmt)
		require.NoError(t, err)
	}
	last, err := other.LastPosition(t.Context())
	require.NoError(t, err)
	token := feed.Token{Epoch: follow.Epoch(), Pos: last}.String()
	a := slicetest.OK(t, router, "GET", slicetest.Path("v3/sync?timeout=50")+slicetest.Query("since", token), "alice", nil)
	require.Equal(t, token, a.At("next_batch"))
	require.Empty(t, a.At("rooms"))
	for _, path := range []string{
		roomtest.At(room, "messages?dir=b&from=") + token, roomtest.At(room, "members?at=") + token,
	} {
		a = slicetest.Do(t, router, "GET", path, "alice", nil)
		require.Equal(t, 503, a.Status, a)
		require.Equal(t, "1", a.Header.Get("Retry-After"))
	}
	a = slicetest.Do(t, router, "GET", slicetest.Path("v3/sync?full_state=true")+slicetest.Query("since", token), "alice", nil)
	require.Equal(t, 503, a.Status, a)
	for _, path := range []string{slicetest.Path("v3/sync"), roomtest.At(room, "messages?dir=b")} {
		require.Contains(t, slicetest.OK(t, router, "GET", path, "alice", nil).Body, "before")
	}
	sent := slicetest.OK(t, router, "PUT", roomtest.At(room, "send/m.room.message/1"), "alice", slicetest.O{"msgtype": "m.text", "body": "meanwhile"})
	require.NotEmpty(t, sent.At("event_id"), "it is committed, and its sender does not wait for the end of the stall")
	require.NoError(t, tx.Rollback(t.Context()))
}
