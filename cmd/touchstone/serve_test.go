// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server"
	"touchstone.example/server/config"
)

// TestTheGreetingSaysWhoMayRegister: nobody must take a server for more open,
// or more closed, than it is.
func TestTheGreetingSaysWhoMayRegister(t *testing.T) {
	for yaml, says := range map[string]string{
		"{}":                             "off; set registration.enabled",
		"{shared_secret: sesame}":        "by those who know the shared secret",
		"{enabled: true}":                "open to everybody",
		"{enabled: true, token: sesame}": "by those who know the token",
		"{enabled: true, token: sesame, shared_secret: s}": "by those who know the token",
	} {
		path := file(t, "touchstone.yaml", "database: \"sqlite::memory:\"\nlisteners: {client: {address: \"127.0.0.1:0\"}}\nregistration: "+yaml)
		cfg, err := config.Load(config.Sources{Env: []string{"TOUCHSTONE_CONFIG=" + path}})
		require.NoError(t, err)
		s, err := server.Start(t.Context(), cfg, nil)
		require.NoError(t, err)
		var b bytes.Buffer
		greet(&b, cfg, s)
		require.NoError(t, s.Close(t.Context()))
		require.Contains(t, b.String(), "registration  "+says)
		require.NotContains(t, b.String(), "sesame")
	}
}
