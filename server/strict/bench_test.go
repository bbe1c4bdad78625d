// SPDX-License-Identifier: Apache-2.0

package strict_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/strict"
	"touchstone.example/spec"
)

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
