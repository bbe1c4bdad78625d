// SPDX-License-Identifier: Apache-2.0

package todevice_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/clientsync"
	"touchstone.example/server/syncpart"
	"touchstone.example/server/todevice"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// A fixture is messages to devices beside sync, on a database of their own.
type fixture struct {
	*slicetest.Fixture
	t        testing.TB
	todevice *todevice.ToDevice
	router   *api.Router
	txns     int
}

func newFixture(t testing.TB, db *storage.DB) *fixture {
	s := slicetest.New(t, db)
	f := &fixture{Fixture: s, t: t}
	f.todevice = todevice.New(todevice.Deps{DB: s.DB, Feed: s.Feed, Env: s.Env, Log: s.Log, Name: slicetest.Name})
	f.router = s.Router(t, api.Config{Auth: slicetest.Tokens()})
	clientapi.MountToDevice(f.router, f.todevice)
	clientapi.MountSync(f.router, clientsync.New(clientsync.Deps{
		DB: s.DB, Feed: s.Feed, Env: s.Env, Log: s.Log, Stopping: t.Context(), Parts: []syncpart.Part{f.todevice},
	}))
	return f
}

func each(t *testing.T, fn func(t *testing.T, f *fixture)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		f := newFixture(t, db)
		f.devices("alice", "ALICE")
		f.devices("bob", "BOB", "PHONE")
		fn(t, f)
	})
}

// devices makes devices of a user.
func (f *fixture) devices(user string, ids ...string) {
	f.t.Helper()
	require.NoError(f.t, f.DB.Write(f.t.Context(), func(tx *storage.Writer) error {
		for _, device := range ids {
			if err := tx.PutDevice(f.t.Context(), &storage.Device{UserID: slicetest.User(user), ID: id.DeviceID(device)}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// send sends messages by user and device.
func (f *fixture) send(typ string, messages slicetest.O) {
	f.t.Helper()
	f.txns++
	slicetest.OK(f.t, f.router, "PUT", slicetest.Path("v3/sendToDevice/{}/{}", typ, f.txns), "alice", slicetest.O{"messages": messages})
}

// number sends a numbered message to one device of bob's.
func (f *fixture) number(typ string, n int) {
	f.t.Helper()
	f.send(typ, slicetest.O{"@bob:hs1": slicetest.O{"BOB": slicetest.O{"n": n}}})
}

// sync returns the contents that a device gets, and the token for what follows.
func (f *fixture) sync(token, since string) (contents []string, next string) {
	f.t.Helper()
	path := slicetest.Path("v3/sync?timeout=0")
	if since != "" {
		path += slicetest.Query("since", since)
	}
	a := slicetest.OK(f.t, f.router, "GET", path, token, nil)
	if events := a.At("to_device", "events"); events != "" {
		var list []struct {
			Content      api.Raw
			Sender, Type string
		}
		require.NoError(f.t, json.Unmarshal([]byte(events), &list, json.MatchCaseInsensitiveNames(true)))
		for _, e := range list {
			require.Equal(f.t, "@alice:hs1", e.Sender)
			contents = append(contents, e.Type+string(e.Content))
		}
	}
	return contents, a.At("next_batch")
}

// stored counts the messages that are kept for a device.
func (f *fixture) stored(device string) int {
	f.t.Helper()
	var list []*storage.ToDevice
	require.NoError(f.t, f.DB.Read(f.t.Context(), func(tx *storage.Reader) (err error) {
		list, err = tx.ToDevice(f.t.Context(), "@bob:hs1", id.DeviceID(device), 0, 1<<60, 100_000)
		return err
	}))
	return len(list)
}

func TestSendToDevice(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		body := func(to string) slicetest.O {
			return slicetest.O{"messages": slicetest.O{"@bob:hs1": slicetest.O{to: slicetest.O{"to": to}}}}
		}
		path := slicetest.Path("v3/sendToDevice/{}/{}", "m.a/b", "1")
		for range 2 {
			require.Equal(t, `{}`, slicetest.OK(t, f.router, "PUT", path, "alice", body("BOB")).Body, "once")
		}
		slicetest.OK(t, f.router, "PUT", path, "alice/OTHER", body("BOB"))
		f.send("m.all", slicetest.O{
			"@bob:hs1":    slicetest.O{"*": slicetest.O{"for": "all"}, "PHONE": slicetest.O{"for": "one"}},
			"@nobody:hs1": slicetest.O{"*": slicetest.O{}, "X": slicetest.O{}}, "@carol:hs2": slicetest.O{"*": slicetest.O{}},
		})
		got, _ := f.sync("bob", "")
		require.Equal(t, []string{`m.a/b{"to":"BOB"}`, `m.a/b{"to":"BOB"}`, `m.all{"for":"all"}`}, got)
		got, _ = f.sync("bob/PHONE", "")
		require.Equal(t, []string{`m.all{"for":"one"}`}, got)
		got, _ = f.sync("alice", "")
		require.Empty(t, got)
		big := slicetest.O{"messages": slicetest.O{"@bob:hs1": slicetest.O{"BOB": slicetest.O{"x": strings.Repeat("x", 65_536)}}}}
		slicetest.Table(t, f.router, []slicetest.Row{
			{Name: "no token", Method: "PUT", Path: path, Body: body("BOB"), Status: 401, ErrCode: "M_MISSING_TOKEN"},
			{Name: "no messages", Method: "PUT", Path: path, Token: "alice", Body: slicetest.O{}, Status: 400, ErrCode: "M_BAD_JSON"},
			{Name: "no user", Method: "PUT", Path: path, Token: "alice", Body: slicetest.O{"messages": slicetest.O{"bob": slicetest.O{}}}, Status: 400, ErrCode: "M_BAD_JSON"},
			{Name: "no object", Method: "PUT", Path: path, Token: "alice", Body: `{"messages":{"@bob:hs1":{"BOB":"hello"}}}`, Status: 400, ErrCode: "M_BAD_JSON"},
			{Name: "too large", Method: "PUT", Path: slicetest.Path("v3/sendToDevice/m.x/big"), Token: "alice", Body: big, Status: 413, ErrCode: "M_TOO_LARGE"},
		})
	})
}

// TestMessagesStayUntilAcknowledged by the token of the answer that has them, and
// then are gone.
func TestMessagesStayUntilAcknowledged(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, since := f.sync("bob", "")
		f.number("m.x", 1)
		var next string
		for range 2 {
			var got []string
			got, next = f.sync("bob", since)
			require.Equal(t, []string{`m.x{"n":1}`}, got, "the answer was lost")
		}
		require.NoError(t, f.todevice.DeleteAcknowledged(t.Context()))
		require.Equal(t, 1, f.stored("BOB"), "nothing was acknowledged")
		got, _ := f.sync("bob", next)
		require.Empty(t, got)
		require.NoError(t, f.todevice.DeleteAcknowledged(t.Context()))
		require.Zero(t, f.stored("BOB"))
		got, _ = f.sync("bob", since)
		require.Empty(t, got, "it is gone, whatever token comes")

		f.number("m.x", 2)
		got, next = f.sync("bob", next)
		require.Equal(t, []string{`m.x{"n":2}`}, got)
		f.todevice.Forget() // as after a restart
		f.number("m.x", 3)
		got, _ = f.sync("bob", next)
		require.Equal(t, []string{`m.x{"n":3}`}, got)
		require.NoError(t, f.todevice.DeleteAcknowledged(t.Context()))
		require.Equal(t, 1, f.stored("BOB"), "the one before was acknowledged")
	})
}

// TestMessagesComeInPages of a hundred, in order, without a wait between them.
func TestMessagesComeInPages(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, since := f.sync("bob", "")
		const many = 250
		for n := range many {
			f.number("m.x", n)
		}
		var all []string
		for i, want := range []int{100, 100, many - 199, 0} {
			var got []string
			got, since = f.sync("bob", since)
			require.Len(t, got, want)
			all = append(all, got...)
			if i == 0 {
				f.number("m.x", many) // more arrives meanwhile
			}
		}
		for n := range many + 1 {
			require.Equal(t, fmt.Sprintf(`m.x{"n":%d}`, n), all[n])
		}
	})
}

// TestConcurrentSenders: each message comes exactly once to who acknowledges, each
// sender's in order, with several processes.
func TestConcurrentSenders(t *testing.T) {
	storagetest.EachURL(t, func(t *testing.T, url string) {
		processes := []*fixture{newFixture(t, storagetest.OpenURL(t, url))}
		if processes[0].DB.Engine() == "postgres" {
			for range 2 {
				processes = append(processes, newFixture(t, storagetest.OpenURL(t, url)))
			}
		}
		f := processes[0]
		f.devices("alice", "ALICE")
		f.devices("bob", "BOB")
		_, since := f.sync("bob", "")
		const senders, each = 6, 20
		var wait sync.WaitGroup
		for s := range senders {
			at := processes[s%len(processes)]
			wait.Go(func() {
				for n := range each {
					slicetest.Do(t, at.router, "PUT", slicetest.Path("v3/sendToDevice/m.x/{}", fmt.Sprint(s, "-", n)), "alice",
						slicetest.O{"messages": slicetest.O{"@bob:hs1": slicetest.O{"BOB": slicetest.O{"s": s, "n": n}}}})
				}
			})
		}
		sent := make(chan struct{})
		wait.Go(func() {})
		go func() { wait.Wait(); close(sent) }()
		next := map[int]int{}
		total := 0
		for done := false; total < senders*each; {
			got, token := processes[total%len(processes)].sync("bob", since)
			since = token
			for _, m := range got {
				var c struct{ S, N int }
				require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(m, "m.x")), &c, json.MatchCaseInsensitiveNames(true)))
				require.Equal(t, next[c.S], c.N)
				next[c.S]++
				total++
			}
			require.False(t, done && len(got) == 0 && total < senders*each, "%d messages are missing", senders*each-total)
			select {
			case <-sent:
				done = done || len(got) == 0
			default:
			}
		}
		got, _ := f.sync("bob", since)
		require.Empty(t, got)
	})
}
