// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"bufio"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/ops"
	"touchstone.example/tests/bodygen"
	"touchstone.example/tests/harness"
)

// from sends a POST request as a proxy would that has it from an address.
func from(t *testing.T, s *harness.Server, address, path, body string) (*http.Response, string) {
	t.Helper()
	conn := dial(t, s)
	_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: hs1\r\nX-Forwarded-For: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, address, len(body), body)
	require.NoError(t, err)
	return answer(t, bufio.NewReader(conn), "POST")
}

// TestFailedLoginsAreLimitedByAddress: one address has some twenty attempts with
// wrong passwords, registration tokens and HMACs; other addresses are not affected.
func TestFailedLoginsAreLimitedByAddress(t *testing.T) {
	each(t, harness.Options{Settings: []string{
		"TOUCHSTONE_RATE_LIMITS_ENABLED=true", "TOUCHSTONE_REGISTRATION_TOKEN=right", "TOUCHSTONE_REGISTRATION_SHARED_SECRET=right",
	}}, func(t *testing.T, s *harness.Server) {
		for i, c := range []struct{ name, path, body string }{ // the passwords of many, since each account has a limit of its own
			{"a password", "/_matrix/client/v3/login", `{"type":"m.login.password","password":"wrong","identifier":{"type":"m.id.user","user":"alice%d"}}`},
			{"a registration token", "/_matrix/client/v3/register", `{"username":"a","password":"b","auth":{"type":"m.login.registration_token","token":"wrong"}}`},
			{"an HMAC", "/_synapse/admin/v1/register", `{"nonce":"wrong","username":"a","password":"b","mac":"00"}`},
		} {
			t.Run(c.name, func(t *testing.T) {
				here := fmt.Sprintf("192.0.2.%d", i+1)
				limited := 0
				for n := range 60 {
					resp, body := from(t, s, "198.51.100.7, "+here, c.path, strings.ReplaceAll(c.body, "%d", fmt.Sprint(n)))
					if resp.StatusCode != http.StatusTooManyRequests {
						require.Zero(t, limited, body)
						continue
					}
					limited++
					require.Equal(t, "M_LIMIT_EXCEEDED", harness.Parse([]byte(body)).At("errcode").String())
					require.Positive(t, harness.Parse([]byte(body)).At("retry_after_ms").Int())
					require.NotEmpty(t, resp.Header.Get("Retry-After"))
				}
				require.GreaterOrEqual(t, limited, 30)
				resp, _ := from(t, s, here+", 198.51.100.9", c.path, c.body)
				require.NotEqual(t, http.StatusTooManyRequests, resp.StatusCode, "another address")
			})
		}
	})
}

// TestConcurrentFailedLoginsAreLimited: guesses made side by side are limited as those
// made in turn.
func TestConcurrentFailedLoginsAreLimited(t *testing.T) {
	s := harness.Start(t, harness.Options{Settings: []string{"TOUCHSTONE_RATE_LIMITS_ENABLED=true", "TOUCHSTONE_REGISTRATION_TOKEN=right"}})
	var all sync.WaitGroup
	var looked atomic.Int64
	for range 10 {
		all.Go(func() {
			for range 50 {
				resp, _ := from(t, s, "192.0.2.1", "/_matrix/client/v3/register", `{"username":"a","password":"b","auth":{"type":"m.login.registration_token","token":"wrong"}}`)
				if resp.StatusCode == http.StatusUnauthorized {
					looked.Add(1)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d of 500 guesses were looked at", looked.Load())
	require.Less(t, looked.Load(), int64(130))
}

// TestNoRateLimitsInLabMode: tests try wrong passwords all day.
func TestNoRateLimitsInLabMode(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	for range 60 {
		resp, body := from(t, s, "192.0.2.1", "/_matrix/client/v3/login", `{"type":"m.login.password","password":"wrong","identifier":{"type":"m.id.user","user":"alice"}}`)
		require.Equal(t, http.StatusForbidden, resp.StatusCode, body)
	}
}

// TestDevicesHaveTheClientsAddress: what a user sees of a device is not where
// the proxy is.
func TestDevicesHaveTheClientsAddress(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	resp, body := from(t, s, "198.51.100.7, 192.0.2.1", "/_matrix/client/v3/register", `{"username":"a","password":"b","auth":{"type":"m.login.dummy"}}`)
	require.Equal(t, 200, resp.StatusCode, body)
	token := harness.Parse([]byte(body)).At("access_token").String()
	resp, body = exchange(t, s, "GET /_matrix/client/v3/devices HTTP/1.1\r\nHost: hs1\r\nX-Forwarded-For: 192.0.2.1\r\nAuthorization: Bearer "+token+"\r\n\r\n")
	require.Equal(t, 200, resp.StatusCode, body)
	require.Equal(t, "192.0.2.1", harness.Parse([]byte(body)).At("devices", 0, "last_seen_ip").String(), body)
}

// largeBodies are the operations whose bodies may have more than a megabyte.
var largeBodies = []*api.Operation{&ops.ClientSendToDevice, &ops.ClientPutRoomKeys, &ops.ClientPutRoomKeysByRoomID}

// TestBodiesOfEveryOperation: each operation refuses a body that is larger than its
// limit as soon as the Content-Length is known, also without a token.
func TestBodiesOfEveryOperation(t *testing.T) {
	docs, err := bodygen.Load("../spec")
	require.NoError(t, err)
	s := harness.Start(t, harness.Options{})
	u := s.User(t, "u")
	n := 0
	for _, op := range ops.All {
		doc := docs[op.API+" "+op.ID]
		if op.API != "clientapi" || doc == nil || doc.Body == nil || doc.Media != "application/json" || op.Auth == api.AuthAppService {
			continue
		}
		n++
		size := 1<<20 + 1
		if slices.Contains(largeBodies, op) {
			size = 4<<20 + 1
		}
		t.Run(op.ID, func(t *testing.T) {
			path := op.Path
			for _, name := range []string{"{userId}", "{roomId}", "{roomIdOrAlias}", "{roomAlias}", "{eventId}", "{kind}", "{receiptType}"} {
				path = strings.ReplaceAll(path, name, map[string]string{
					"{userId}": "%40u:hs1", "{roomId}": "%21r:hs1", "{roomIdOrAlias}": "%21r:hs1", "{roomAlias}": "%23r:hs1",
					"{eventId}": "%24e", "{kind}": "override", "{receiptType}": "m.read",
				}[name])
			}
			path = strings.NewReplacer("{", "", "}", "").Replace(path) + "?version=1"
			status, body := raw(t, s, fmt.Sprintf("%s %s HTTP/1.1\r\nAuthorization: Bearer %s\r\nContent-Length: %d", op.Method, path, u.Token, size), `{"`)
			require.Equal(t, http.StatusRequestEntityTooLarge, status, body)
			require.Equal(t, "M_TOO_LARGE", harness.Parse([]byte(body)).At("errcode").String(), body)
		})
	}
	require.Greater(t, n, 50)
}

// TestEventSizeIsCanonicalSize: the size of the canonical JSON decides whether an
// event is too large, however the client wrote it; a larger one is refused before
// anything else is done.
func TestEventSizeIsCanonicalSize(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		w := newFixture(t, s)
		escaped := `{"body":"` + strings.Repeat(`\u0061`, 60<<10) + `"}`
		require.Equal(t, 200, s.Do(t, w.send(escaped)).Status)
		require.Equal(t, 200, s.Do(t, w.send(`{"body":"x"`+strings.Repeat(" ", 300<<10)+`}`)).Status)
		a := s.Do(t, w.send(`{"body":"`+strings.Repeat("x", 70<<10)+`"}`))
		require.Equal(t, http.StatusRequestEntityTooLarge, a.Status, a)
		require.Contains(t, a.JSON().At("error").String(), "content")
		a = s.Do(t, w.send(`{"body":"`+strings.Repeat("x", 500<<10)+`"}`))
		require.Equal(t, http.StatusRequestEntityTooLarge, a.Status, a)
		require.Contains(t, a.JSON().At("error").String(), "body is larger")
	})
}

// TestPagesAreBoundedInBytes: a page of large events is shorter than was asked
// for, and the pages together are the room.
func TestPagesAreBoundedInBytes(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		u := s.User(t, "u")
		room := u.PublicRoom(t)
		for range 40 {
			u.Send(t, room, strings.Repeat("m", 60<<10))
		}
		for range 40 { // each shows what it replaced
			u.SetState(t, room, "org.example.large", "", harness.O{"a": harness.Txn(), "b": strings.Repeat("s", 30<<10)})
		}
		u.Send(t, room, "small")
		all := map[string][]string{}
		for _, dir := range []string{"b", "f"} {
			at, pages := "", 0
			for {
				query := []any{"dir", dir, "limit", "1000"}
				if at != "" {
					query = append(query, "from", at)
				}
				page := u.Messages(t, room, query...)
				size := 0
				chunk := page.At("chunk").List()
				for _, ev := range chunk {
					all[dir] = append(all[dir], ev.At("event_id").String())
					size += len(ev.Raw())
				}
				require.Less(t, size, 1<<20+256<<10)
				if pages++; !page.At("end").Exists() {
					break
				}
				require.NotEmpty(t, chunk)
				at = page.At("end").String()
			}
			require.GreaterOrEqual(t, pages, 4)
		}
		slices.Reverse(all["f"])
		require.Equal(t, all["b"], all["f"])
		require.Greater(t, len(all["b"]), 81)
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(all["b"]))), len(all["b"]))
	})
}

// TestTimelinesAreBoundedInBytes: a timeline of large events is shorter than the
// filter allows, and where it begins the history goes on.
func TestTimelinesAreBoundedInBytes(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		u := s.User(t, "u")
		rooms := []string{u.PublicRoom(t), u.PublicRoom(t)}
		since := u.Since(t)
		want := map[string][]string{}
		for range 30 {
			for _, room := range rooms {
				want[room] = append(want[room], u.Send(t, room, strings.Repeat("m", 60<<10)))
			}
		}
		filter := `{"room":{"timeline":{"limit":1000,"types":["m.room.message"]}}}`
		for _, query := range [][]any{{"filter", filter}, {"filter", filter, "since", since}} {
			sync := u.Sync(t, query...)
			for _, room := range rooms {
				timeline := sync.At("rooms", "join", room, "timeline")
				require.True(t, timeline.At("limited").Bool())
				require.Less(t, len(timeline.Raw()), 1<<20+128<<10)
				got := timeline.At("events").Pluck("event_id")
				require.Greater(t, len(got), 10)
				for at := timeline.At("prev_batch").String(); len(got) < len(want[room]); {
					page := u.Messages(t, room, "dir", "b", "from", at, "filter", `{"types":["m.room.message"]}`)
					before := page.At("chunk").Pluck("event_id")
					require.NotEmpty(t, before)
					slices.Reverse(before)
					got = append(before, got...)
					at = page.At("end").String()
				}
				require.Equal(t, want[room], got)
			}
		}
		timeline := u.Sync(t, "filter", `{"room":{"timeline":{"limit":1000}}}`, "since", u.Since(t)).At("rooms")
		require.False(t, timeline.Exists(), "nothing new")
	})
}

// TestLongTimelines: more events than are read at once come all the same.
func TestLongTimelines(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		u := s.User(t, "u")
		room := u.PublicRoom(t)
		since := u.Since(t)
		var want []string
		for range 210 {
			want = append(want, u.Send(t, room, "m"))
		}
		for _, limit := range []int{99, 100, 101, 200, 209, 210, 211, 1000} {
			for _, query := range [][]any{{}, {"since", since}} {
				filter := fmt.Sprintf(`{"room":{"timeline":{"limit":%d,"types":["m.room.message"]}}}`, limit)
				timeline := u.Sync(t, append(query, "filter", filter)...).At("rooms", "join", room, "timeline")
				require.Equal(t, want[max(0, len(want)-limit):], timeline.At("events").Pluck("event_id"), "limit %d", limit)
				require.Equal(t, limit < len(want), timeline.At("limited").Bool(), "limit %d", limit)
			}
		}
	})
}

// TestScanForRareEventsIsBounded: a filter that keeps most events out
// does not make a sync walk through the whole room, and what lies further back
// is found by going on.
func TestScanForRareEventsIsBounded(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *harness.Server) {
		u := s.User(t, "u")
		room := u.PublicRoom(t)
		far := u.SendEvent(t, room, "org.example.rare", harness.O{})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 160 {
					if _, err := u.TrySend(t.Context(), room, harness.Txn(), "often"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		timeline := u.Sync(t, "filter", `{"room":{"timeline":{"types":["org.example.rare"]}}}`).At("rooms", "join", room, "timeline")
		require.Empty(t, timeline.At("events").List())
		require.True(t, timeline.At("limited").Bool())
		page := u.Messages(t, room, "dir", "b", "from", timeline.At("prev_batch").String(), "filter", `{"types":["org.example.rare"]}`)
		require.Equal(t, []string{far}, page.At("chunk").Pluck("event_id"))

		near := u.SendEvent(t, room, "org.example.rare", harness.O{})
		for range 30 {
			u.Send(t, room, "often")
		}
		timeline = u.Sync(t, "filter", `{"room":{"timeline":{"limit":1,"types":["org.example.rare"]}}}`).At("rooms", "join", room, "timeline")
		require.Equal(t, []string{near}, timeline.At("events").Pluck("event_id"))
	})
}
