// SPDX-License-Identifier: Apache-2.0

package strict_test

import (
	"encoding/json"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/server/strict"
)

func by(user, device, operation string) strict.Violation {
	return strict.Violation{Rule: "request-type", Operation: operation, Who: strict.Sender{User: user, Device: device}}
}

func seqs(vs []strict.Violation) []int64 {
	out := []int64{}
	for _, v := range vs {
		out = append(out, v.Seq)
	}
	return out
}

func TestStoreSelects(t *testing.T) {
	var s strict.Store
	s.Add(by("@a:x", "A1", "clientapi.sync"))
	s.Add(by("@a:x", "A2", "clientapi.createRoom"))
	s.Add(by("@b:x", "B1", "clientapi.sync"))
	for _, c := range []struct {
		q    strict.Query
		want []int64
		next int64
	}{
		{strict.Query{}, []int64{1, 2, 3}, 3},
		{strict.Query{User: "@a:x"}, []int64{1, 2}, 3},
		{strict.Query{Device: "A2"}, []int64{2}, 3},
		{strict.Query{Operation: "clientapi.sync", User: "@b:x"}, []int64{3}, 3},
		{strict.Query{Since: 1, Limit: 1}, []int64{2}, 2},
		{strict.Query{Since: 2, Limit: 1}, []int64{3}, 3},
		{strict.Query{Since: 3}, []int64{}, 3},
		{strict.Query{Rule: "other"}, []int64{}, 3},
	} {
		got, next := s.List(c.q)
		require.Equal(t, c.want, seqs(got), "%+v", c.q)
		require.Equal(t, c.next, next, "%+v", c.q)
	}
	require.Equal(t, 2, s.Clear(strict.Query{User: "@a:x"}))
	require.Equal(t, int64(4), s.Add(by("@c:x", "", "")))
	got, _ := s.List(strict.Query{})
	require.Equal(t, []int64{3, 4}, seqs(got))
}

func TestStoreIsBounded(t *testing.T) {
	s := strict.Store{Size: 3}
	for range 5 {
		s.Add(by("@a:x", "", ""))
	}
	got, next := s.List(strict.Query{})
	require.Equal(t, []int64{3, 4, 5}, seqs(got))
	require.Equal(t, []int64{5, 2}, []int64{next, s.Lost()})
	require.Equal(t, 2, s.Clear(strict.Query{Since: 3}))
	s.Add(by("@a:x", "", ""))
	got, _ = s.List(strict.Query{})
	require.Equal(t, []int64{3, 6}, seqs(got))
}

func TestStoreOfManyAtOnce(t *testing.T) {
	s := strict.Store{Size: 50}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				s.Add(by("@a:x", "", ""))
				s.List(strict.Query{Limit: 2})
			}
		})
	}
	wg.Wait()
	got, next := s.List(strict.Query{})
	require.Len(t, got, 50)
	require.Equal(t, int64(800), next)
}

// TestViolationAsJSON is the form that answers, the control plane and reports have.
func TestViolationAsJSON(t *testing.T) {
	v := strict.Violation{
		Seq: 7, Rule: "request-type", Setting: strict.Enforce, Direction: strict.Request, Operation: "clientapi.createRoom",
		ErrCode: "M_BAD_JSON", Where: api.InBody("/invite"), Expected: "array", Found: "null", Hint: "leave the member out",
		Section: "https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom",
		Who:     strict.Sender{User: "@a:x", Device: "A1"}, Time: 1767323045000, Request: "r1",
	}
	text, err := json.Marshal(v)
	require.NoError(t, err)
	require.JSONEq(t, `{"seq":7,"rule":"request-type","setting":"enforce","direction":"request","operation":"clientapi.createRoom",
		"errcode":"M_BAD_JSON","where":{"in":"body","pointer":"/invite"},"expected":"array","found":"null","hint":"leave the member out",
		"section":"https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom",
		"who":{"user":"@a:x","device":"A1"},"time":1767323045000,"request":"r1"}`, string(text))
	var back strict.Violation
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, v, back)

	for where, want := range map[api.Where]string{
		api.InBody(""):                  `{"in":"body","name":"the body"}`,
		api.InQuery("since"):            `{"in":"query","name":"since"}`,
		api.InPath("roomId"):            `{"in":"path","name":"roomId"}`,
		api.InHeader("Content-Type"):    `{"in":"header","name":"Content-Type"}`,
		api.InRequest():                 `{"in":"request","name":"the request"}`,
		api.InBody("/content/a~1b/0/c"): `{"in":"body","pointer":"/content/a~1b/0/c"}`,
	} {
		text, err := json.Marshal(where)
		require.NoError(t, err)
		require.JSONEq(t, want, string(text))
		var back api.Where
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, where, back)
	}
}
