// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
)

func TestQueryReaders(t *testing.T) {
	x := &Exchange{R: httptest.NewRequest("GET", "/?s=a%20b+c&empty&t=true&f=false&n=-12&x=1.5&via=a&via=b%3A1&dir=b&"+
		"u=%40a%3Ax&%C3%A9=%26&s=second&semi=1;2&eq=a=b", nil)}
	q := x.Query()
	require.Equal(t, Some("a b c"), q.String("s"), "the first of a repeated parameter counts")
	require.Equal(t, Some(""), q.String("empty"))
	require.Equal(t, Opt[string]{}, q.String("nothing"))
	require.Equal(t, Some(true), q.Bool("t"))
	require.Equal(t, Some(false), q.Bool("f"))
	require.Equal(t, Opt[bool]{}, q.Bool("nothing"))
	require.Equal(t, Some(int64(-12)), q.Int("n"))
	require.Equal(t, Opt[int64]{}, q.Int("nothing"))
	require.Equal(t, Some(1.5), q.Float("x"))
	require.Equal(t, Opt[float64]{}, q.Float("nothing"))
	require.Equal(t, []string{"a", "b:1"}, q.Strings("via"))
	require.Equal(t, []id.ServerName{"a", "b:1"}, QueryIDs(q, "via", id.ParseServerName))
	require.Nil(t, q.Strings("nothing"))
	require.Equal(t, Some(id.UserID("@a:x")), QueryID(q, "u", id.ParseUserID))
	require.Equal(t, Opt[id.UserID]{}, QueryID(q, "nothing", id.ParseUserID))
	require.Equal(t, Some("&"), q.String("é"))
	require.Equal(t, Some("1;2"), q.String("semi"), "a semicolon separates nothing")
	require.Equal(t, Some("a=b"), q.String("eq"))
	require.Equal(t, "@a:x", Required(q, "u", q.String("u")))
	require.True(t, q.Has("empty"))
	require.False(t, q.Has("nothing"))
	require.Equal(t, map[string]string{"x": "1.5", "é": "&", "eq": "a=b"}, q.Others("s", "empty", "t", "f", "n", "via", "dir", "u", "semi"))
	require.NoError(t, q.Err())

	plain := &Query{raw: "limit=10&dir=b&from=t12"}
	require.Zero(t, testing.AllocsPerRun(50, func() { plain.Int("limit") }), "what needs no decoding costs no memory")
}

func TestQueryFailures(t *testing.T) {
	for query, c := range map[string]struct {
		read func(q *Query)
		code string
	}{
		"a=yes":    {func(q *Query) { q.Bool("a") }, "M_INVALID_PARAM"},
		"a=True":   {func(q *Query) { q.Bool("a") }, "M_INVALID_PARAM"},
		"a=":       {func(q *Query) { q.Int("a") }, "M_INVALID_PARAM"},
		"a=1.0":    {func(q *Query) { q.Int("a") }, "M_INVALID_PARAM"},
		"a=%2B1":   {func(q *Query) { q.Int("a") }, "M_INVALID_PARAM"},
		"a=1e3":    {func(q *Query) { q.Int("a") }, "M_INVALID_PARAM"},
		"a=0x10":   {func(q *Query) { q.Float("a") }, "M_INVALID_PARAM"},
		"a=NaN":    {func(q *Query) { q.Float("a") }, "M_INVALID_PARAM"},
		"a=-Inf":   {func(q *Query) { q.Float("a") }, "M_INVALID_PARAM"},
		"a=!x":     {func(q *Query) { QueryID(q, "a", id.ParseUserID) }, "M_INVALID_PARAM"},
		"a=x&a=":   {func(q *Query) { QueryIDs(q, "a", id.ParseServerName) }, "M_INVALID_PARAM"},
		"b=1":      {func(q *Query) { Required(q, "a", q.Int("a")) }, "M_MISSING_PARAM"},
		"a=%":      {func(q *Query) { q.String("a") }, "M_INVALID_PARAM"},
		"a=1&b=%1": {func(q *Query) { q.String("a") }, "M_INVALID_PARAM"},
		"%zz=1":    {func(q *Query) { q.String("a") }, "M_INVALID_PARAM"},
		"a=%FF":    {func(q *Query) { q.String("a") }, "M_INVALID_PARAM"},
		"a=\xff":   {func(q *Query) { q.Strings("a") }, "M_INVALID_PARAM"},
		"c=1&a=xy": {func(q *Query) { q.Int("a"); Required(q, "b", q.Int("b")) }, "M_INVALID_PARAM"},
		"c=1&d=":   {func(q *Query) { Required(q, "b", q.Int("b")); q.Int("d") }, "M_MISSING_PARAM"},
		"9223372036854775808=1&a=9223372036854775808": {func(q *Query) { q.Int("a") }, "M_INVALID_PARAM"},
	} {
		rt := NewRouter(Config{})
		rt.Add(op("GET", "/q"), func(_ context.Context, x *Exchange) error {
			q := x.Query()
			c.read(q)
			if q.Err() == nil {
				return fmt.Errorf("%s passes", query)
			}
			return q.Err()
		})
		r := httptest.NewRequest("GET", "/q", nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		requireError(t, w, 400, c.code, query)
	}
}

func TestPathIdentifiers(t *testing.T) {
	rt := NewRouter(Config{})
	rt.Add(op("GET", "/u/{userId}"), func(_ context.Context, x *Exchange) error {
		u, err := PathID(&x.Params, 0, id.ParseUserID)
		if err != nil {
			return err
		}
		return x.Reply(200, text(u.Localpart()))
	})
	require.Equal(t, "a/b", said(t, do(rt, "GET", "/u/@a%2fb:x", "")))
	for _, bad := range []string{"/u/a:x", "/u/@a", "/u/@a%3Ax%2Fy", "/u/@%00:x", "/u/@%FF:x"} {
		w := do(rt, "GET", bad, "")
		requireError(t, w, 400, "M_INVALID_PARAM", bad)
		require.Contains(t, w.Body.String(), "userId")
	}
	require.Empty(t, (&Params{}).name(0), "an operation is not needed")
}

// A shade is a closed list, as kinds of push rules are.
type shade string

func (s shade) Valid() bool { return s == "light" || s == "dark" }

func TestPathValuesOfClosedLists(t *testing.T) {
	for _, c := range []struct {
		statuses []int
		status   int
		code     string
	}{
		{[]int{200, 404}, 404, "M_NOT_FOUND"},
		{[]int{200, 400, 404}, 400, "M_INVALID_PARAM"},
		{[]int{200}, 400, "M_INVALID_PARAM"},
	} {
		rt := NewRouter(Config{})
		o := op("GET", "/s/{shade}")
		o.Statuses = c.statuses
		rt.Add(o, func(_ context.Context, x *Exchange) error {
			s, err := PathID(&x.Params, 0, ParseEnum[shade])
			if err != nil {
				return err
			}
			return x.Reply(200, text(string(s)))
		})
		require.Equal(t, "dark", said(t, do(rt, "GET", "/s/dark", "")))
		requireError(t, do(rt, "GET", "/s/grey", ""), c.status, c.code, "of an operation that declares %v", c.statuses)
		requireError(t, do(rt, "GET", "/s/%FF", ""), 400, "M_INVALID_PARAM", "what is no value at all")
	}
}
