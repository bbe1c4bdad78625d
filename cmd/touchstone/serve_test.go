// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"path/filepath"
	"strings"
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

// TestExitStatuses are those of the manual: 0 for success, 1 for failure, 2 for
// a wrong command line.
func TestExitStatuses(t *testing.T) {
	bad := file(t, "touchstone.yaml", "sever_name: a")
	for name, c := range map[string]struct {
		args        string
		code        int
		out, errors string
	}{
		"help":                    {"help", 0, "register-user", ""},
		"help by a flag":          {"--help", 0, "Commands:", ""},
		"help of a command":       {"help register-user", 0, "create an account on a running server", ""},
		"the same by a flag":      {"register-user -h", 0, "--password-file", ""},
		"help of help":            {"help help", 0, "Commands:", ""},
		"help of nothing":         {"help nothing", 2, "", `unknown command "nothing"`},
		"an unknown command":      {"frobnicate", 2, "", `unknown command "frobnicate"`},
		"an unknown flag":         {"serve --frobnicate", 2, "", "flag provided but not defined: -frobnicate"},
		"an argument":             {"version now", 2, "", `unexpected argument "now"`},
		"a missing flag":          {"register-user", 2, "", "missing required flag --user"},
		"settings that are wrong": {"check-config --config " + bad, 1, "", "there is no setting sever_name (did you mean server_name?)"},
		"the same to serve":       {"--config " + bad, 1, "", "there is no setting sever_name"},
		"good settings":           {"check-config", 0, "The settings are valid.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := output(t, strings.Fields(c.args)...)
			require.Equal(t, c.code, code, errs)
			require.Contains(t, strings.ReplaceAll(out, "  -", "  --"), c.out)
			require.Contains(t, errs, c.errors)
			require.Equal(t, c.code == 0, errs == "", "errors go to standard error, and nothing else: %s", errs)
		})
	}
	for _, command := range []string{"register-user", "health"} {
		_, help, _ := output(t, "help", command)
		require.NotContains(t, help, "-lab", "%s lists the flags that mean something to it", command)
		require.NotContains(t, help, "-database", command)
	}
}

// TestHealth finds the server of the settings, also one that was started with a
// port of its own and wrote its ready file.
func TestHealth(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready.json")
	path := file(t, "touchstone.yaml", settings+"ready_file: "+ready+"\n")
	cfg, err := config.Load(config.Sources{Env: []string{"TOUCHSTONE_CONFIG=" + path}})
	require.NoError(t, err)
	code, _, errs := output(t, "health", "--config", path)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "cannot reach the server")
	s, err := server.Start(t.Context(), cfg, nil)
	require.NoError(t, err)
	code, _, errs = output(t, "health", "--config", path)
	require.Zero(t, code, errs)
	code, _, errs = output(t, "health", "--url", s.ClientURL())
	require.Zero(t, code, errs)
	require.NoError(t, s.Close(t.Context()))
	code, _, _ = output(t, "health", "--config", path)
	require.Equal(t, 1, code)
}
