// SPDX-License-Identifier: Apache-2.0

package idclient_test

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/idclient"
)

func FuzzWithoutNulls(f *testing.F) {
	for _, text := range []string{
		`{"mappings":{"a":null,"b":"null"},"n":[null,[null],{"null":null}],"x":1.50}`, `{"a":`, `null`, `nul`, `{"null":1,}`, `{} null`, `"null`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		out := idclient.WithoutNulls(text)
		if !jsontext.Value(text).IsValid() {
			require.False(t, jsontext.Value(out).IsValid(), "what is not JSON does not become JSON")
			return
		}
		if jsontext.Value(text).Kind() != 'n' {
			require.True(t, jsontext.Value(out).IsValid(), "%s", out)
		}
		require.Equal(t, string(out), string(idclient.WithoutNulls(out)))
	})
}
