// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"bytes"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/config"
)

// FuzzConfig reads any bytes as a settings file. It must not panic, and
// accepted settings must pass their own validation.
func FuzzConfig(f *testing.F) {
	var example bytes.Buffer
	require.NoError(f, config.Generate(&example))
	f.Add(example.Bytes())
	f.Add([]byte("lab: true\nseed: a\nlisteners: {client: {address: ':0'}}"))
	f.Add([]byte("strictness: {rules: {a: off}}\nappservices: [a, &x b, *x]\nlog: {level: debug}"))
	f.Add([]byte("a: &a {b: *a}"))
	f.Add([]byte("registration: {token_file: t, token: u}\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Load(config.Sources{File: "f", ReadFile: func(path string) ([]byte, error) {
			if path == "f" {
				return data, nil
			}
			return nil, fs.ErrNotExist
		}})
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.NotEmpty(t, c.ServerName)
		require.NotEmpty(t, c.Listeners.Client.Address)
		if c.Seed != "" || c.Clock != "" {
			require.True(t, c.Lab || c.Loopback())
		}
		_, err = c.DatabaseURL()
		require.NoError(t, err)
	})
}
