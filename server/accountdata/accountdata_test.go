// SPDX-License-Identifier: Apache-2.0

package accountdata_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/accountdata"
	"touchstone.example/server/feed"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// A fixture is account data beside rooms.
type fixture struct {
	*slicetest.Fixture
	t      *testing.T
	router *api.Router
	room   string // alice's
}

func each(t *testing.T, d accountdata.Deps, fn func(t *testing.T, f *fixture)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := slicetest.New(t, db)
		d.DB, d.Feed = s.DB, s.Feed
		d.PushRules = func(_ context.Context, user id.UserID) ([]byte, error) {
			return fmt.Appendf(nil, `{"of":%q}`, user), nil
		}
		slice := accountdata.New(d)
		f := &fixture{Fixture: s, t: t, router: s.Router(t, api.Config{Auth: slicetest.Tokens()})}
		clientapi.MountAccountData(f.router, slice)
		clientapi.MountTags(f.router, slice)
		roomtest.Mount(f.router, s, nil)
		f.room = f.ok("POST", slicetest.Path("v3/createRoom"), slicetest.O{}).At("room_id")
		fn(t, f)
	})
}

func (f *fixture) ok(method, path string, body any) slicetest.Answer {
	f.t.Helper()
	return slicetest.OK(f.t, f.router, method, path, "alice", body)
}

// told is what a device of alice's that was told up to a position hears.
func (f *fixture) told(since int64, rooms ...syncpart.Room) *syncpart.News {
	f.t.Helper()
	news := &syncpart.News{}
	require.NoError(f.t, f.DB.Read(f.t.Context(), func(tx *storage.Reader) (err error) {
		upTo, err := tx.LastChange(f.t.Context(), 1<<62)
		if err != nil {
			return err
		}
		w := &syncpart.Window{User: slicetest.User("alice"), Since: since, UpTo: upTo, Rooms: rooms}
		return accountdata.SyncPart{}.Read(f.t.Context(), tx, w, news)
	}))
	return news
}

const (
	global = "v3/user/@alice:hs1/account_data/{}"
	ofRoom = "v3/user/@alice:hs1/rooms/{}/account_data/{}"
	tags   = "v3/user/@alice:hs1/rooms/{}/tags"
	tag    = "v3/user/@alice:hs1/rooms/{}/tags/{}"
)

// TestAccountDataComesBack as it was set, and to the user's devices.
func TestAccountDataComesBack(t *testing.T) {
	each(t, accountdata.Deps{}, func(t *testing.T, f *fixture) {
		body := `{"n":9007199254740991,"<&>":"\u0000","deep":{"a":[null]}}`
		for _, path := range []string{slicetest.Path(global, "org.x/y"), slicetest.Path(ofRoom, f.room, "org.x/y")} {
			since := f.Feed.Stamp()
			require.Equal(t, 404, slicetest.Do(t, f.router, "GET", path, "alice", nil).Status)
			f.ok("PUT", path, body)
			require.Equal(t, body, f.ok("GET", path, nil).Body)
			_, err := f.Feed.Wait(t.Context(), since, feed.KeysOf([]feed.Kind{feed.KindAccountData}, slicetest.User("alice"), nil)...)
			require.NoError(t, err)
			f.ok("PUT", path, `{}`)
			require.Equal(t, `{}`, f.ok("GET", path, nil).Body, "an empty object is one")
			f.ok("PUT", path, body)
		}
		news := f.told(0)
		require.Equal(t, []syncpart.Typed{{Type: "org.x/y", Content: []byte(body)}}, news.AccountData)
		require.Len(t, news.RoomAccountData, 1)
		require.Contains(t, f.ok("GET", slicetest.Path(global, "m.push_rules"), nil).Body, "@alice:hs1")
	})
}

// TestEmptyAccountDataIsDeleted where that is switched on.
func TestEmptyAccountDataIsDeleted(t *testing.T) {
	each(t, accountdata.Deps{EmptyDeletes: true}, func(t *testing.T, f *fixture) {
		path := slicetest.Path(global, "org.x")
		f.ok("PUT", path, `{"a":1}`)
		f.ok("PUT", path, ` { } `)
		require.Equal(t, 404, slicetest.Do(t, f.router, "GET", path, "alice", nil).Status)
		require.Empty(t, f.told(0).AccountData)
		require.Equal(t, []syncpart.Typed{{Type: "org.x", Content: []byte("{}")}}, f.told(1).AccountData)
	})
}

func TestTags(t *testing.T) {
	each(t, accountdata.Deps{}, func(t *testing.T, f *fixture) {
		list, of := slicetest.Path(tags, f.room), func(name string) string { return slicetest.Path(tag, f.room, name) }
		require.JSONEq(t, `{"tags":{}}`, f.ok("GET", list, nil).Body)
		f.ok("PUT", of("m.favourite"), `{"order":0.25,"org.x":1}`)
		f.ok("PUT", of("u.ä/ö"), `{}`)
		want := `{"tags":{"m.favourite":{"order":0.25,"org.x":1},"u.ä/ö":{}}}`
		require.JSONEq(t, want, f.ok("GET", list, nil).Body)
		require.JSONEq(t, want, f.ok("GET", slicetest.Path(ofRoom, f.room, "m.tag"), nil).Body)
		f.ok("DELETE", of("m.favourite"), nil)
		f.ok("DELETE", of("m.favourite"), nil)
		require.JSONEq(t, `{"tags":{"u.ä/ö":{}}}`, f.ok("GET", list, nil).Body)

		f.ok("PUT", slicetest.Path(ofRoom, f.room, "m.tag"), `{"tags":[1]}`)
		require.JSONEq(t, `{"tags":{}}`, f.ok("GET", list, nil).Body)
		f.ok("PUT", of("u.x"), `{}`)
		require.JSONEq(t, `{"tags":{"u.x":{}}}`, f.ok("GET", list, nil).Body)
	})
}

func TestAccountDataOfOthersAndOfTheServer(t *testing.T) {
	each(t, accountdata.Deps{}, func(t *testing.T, f *fixture) {
		data, roomData, aTag := slicetest.Path(global, "x"), slicetest.Path(ofRoom, f.room, "x"), slicetest.Path(tag, f.room, "x")
		elsewhere := "!unknown:hs1"
		rows := []slicetest.Row{
			{Name: "another's data", Method: "GET", Path: data, Token: "bob", Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "to set another's data", Method: "PUT", Path: data, Token: "bob", Body: "{}", Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "another's data of a room", Method: "GET", Path: roomData, Token: "bob", Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "to set another's data of a room", Method: "PUT", Path: roomData, Token: "bob", Body: "{}", Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "another's tags", Method: "GET", Path: slicetest.Path(tags, f.room), Token: "bob", Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "to tag for another", Method: "PUT", Path: aTag, Token: "bob", Body: "{}", Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "to take another's tag away", Method: "DELETE", Path: aTag, Token: "bob", Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "no token", Method: "GET", Path: data, Status: 401, ErrCode: "M_MISSING_TOKEN"},
			{Name: "no object", Method: "PUT", Path: data, Token: "alice", Body: "[]", Status: 400, ErrCode: "M_BAD_JSON"},
			{Name: "no JSON", Method: "PUT", Path: data, Token: "alice", Body: "{", Status: 400, ErrCode: "M_NOT_JSON"},
			{Name: "no room ID", Method: "PUT", Path: slicetest.Path(ofRoom, "#a:hs1", "x"), Token: "alice", Body: "{}", Status: 400, ErrCode: "M_INVALID_PARAM"},
			{Name: "a room of others", Method: "PUT", Path: slicetest.Path(ofRoom, elsewhere, "x"), Token: "alice", Body: "{}", Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "nothing set in a room of others", Method: "GET", Path: slicetest.Path(ofRoom, elsewhere, "x"), Token: "alice", Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "a long type", Method: "PUT", Path: slicetest.Path(global, strings.Repeat("x", 256)), Token: "alice", Body: "{}", Status: 400, ErrCode: "M_INVALID_PARAM"},
			{Name: "a long tag", Method: "PUT", Path: slicetest.Path(tag, f.room, strings.Repeat("x", 256)), Token: "alice", Body: "{}", Status: 400, ErrCode: "M_INVALID_PARAM"},
			{Name: "an order that is no number", Method: "PUT", Path: aTag, Token: "alice", Body: `{"order":"1"}`, Status: 400, ErrCode: "M_BAD_JSON"},
		}
		for _, typ := range []string{"m.push_rules", "m.fully_read"} {
			rows = append(rows,
				slicetest.Row{Name: "to set " + typ, Method: "PUT", Path: slicetest.Path(global, typ), Token: "alice", Body: "{}", Status: 405, ErrCode: "M_BAD_JSON"},
				slicetest.Row{Name: "to set a room's " + typ, Method: "PUT", Path: slicetest.Path(ofRoom, f.room, typ), Token: "alice", Body: "{}", Status: 405, ErrCode: "M_BAD_JSON"},
			)
		}
		slicetest.Table(t, f.router, rows)
	})
}
