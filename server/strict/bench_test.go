// SPDX-License-Identifier: Apache-2.0

package strict_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/server/strict"
	"touchstone.example/spec"
)

// BenchmarkSend is what the judge costs a message that is right, by profile and
// with all its rules off.
func BenchmarkSend(b *testing.B) {
	op := &api.Operation{API: "clientapi", ID: "sendMessage", Method: "PUT", Path: "/rooms/{roomId}/send/{eventType}/{txnId}"}
	off := map[string]string{}
	for _, r := range strict.Rules() {
		off[r.ID] = "off"
	}
	for _, c := range []struct {
		name, profile string
		changes       map[string]string
	}{{"strict", strict.Strict, nil}, {"lenient", strict.Lenient, nil}, {"off", strict.Lenient, off}} {
		settings, err := strict.Resolve(c.profile, c.changes)
		require.NoError(b, err)
		j, err := strict.New(strict.Config{Spec: spec.Files, Settings: settings})
		require.NoError(b, err)
		rt := api.NewRouter(api.Config{Checks: j.Checks()})
		rt.Add(op, api.ServeJSON(api.Nobody, readMessage, func(context.Context, struct{}, *sentMessage) (*api.Empty, error) { return &api.Empty{}, nil }))
		bare := api.NewRouter(api.Config{})
		bare.Add(op, api.ServeJSON(api.Nobody, readMessage, func(context.Context, struct{}, *sentMessage) (*api.Empty, error) { return &api.Empty{}, nil }))
		for name, rt := range map[string]*api.Router{c.name: rt, c.name + "/without a judge": bare} {
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				send := func(i int) {
					r := httptest.NewRequest("PUT", fmt.Sprintf("/rooms/!a:b/send/m.room.message/%d", i), strings.NewReader(`{"msgtype":"m.text","body":"hello, this is a message"}`))
					r.Header.Set("Content-Type", "application/json")
					w := httptest.NewRecorder()
					rt.ServeHTTP(w, r)
					require.Equal(b, 200, w.Code)
				}
				send(-1) // schemas are compiled on first use
				for i := 0; b.Loop(); i++ {
					send(i)
				}
			})
		}
	}
}

// sentMessage is a request as the generator writes them.
type sentMessage struct{ Body api.Raw }

func readMessage(m *sentMessage, x *api.Exchange) error {
	return x.Body(api.Into(&m.Body, api.DecodeRawObject), true)
}

func BenchmarkJudge(b *testing.B) {
	event := `{"type":"m.room.message","event_id":"$a:b.c","sender":"@a:b.c","origin_server_ts":1,"content":{"msgtype":"m.text","body":"x"},"unsigned":{"age":1}}`
	sync := `{"next_batch":"s1","device_unused_fallback_key_types":[],"rooms":{"join":{"!a:b.c":{"timeline":{"events":[` +
		strings.TrimSuffix(strings.Repeat(event+",", 20), ",") + `]}}}}}`
	settings, err := strict.Resolve(strict.Strict, nil)
	require.NoError(b, err)
	for _, measured := range []bool{false, true} {
		j, err := strict.New(strict.Config{Spec: spec.Files, Settings: settings, Answers: true, Measure: measured})
		require.NoError(b, err)
		b.Run(fmt.Sprintf("createRoom/measure=%v", measured), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				vs, err := j.Request(client("createRoom"), nil, []byte(`{"preset":"public_chat","name":"x","invite":["@a:b.c"]}`))
				require.Empty(b, vs)
				require.NoError(b, err)
			}
		})
		b.Run(fmt.Sprintf("sync/measure=%v", measured), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, j.Answer(client("sync"), 200, []byte(sync)))
			}
		})
	}
	b.Run("first use", func(b *testing.B) {
		for b.Loop() {
			j, err := strict.New(strict.Config{Spec: spec.Files, Settings: settings})
			require.NoError(b, err)
			_, err = j.Request(client("createRoom"), nil, []byte(`{}`))
			require.NoError(b, err)
		}
	})
}
