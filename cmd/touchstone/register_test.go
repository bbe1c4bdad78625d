// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server"
	"touchstone.example/server/config"
)

// output runs a command and returns its exit code and what it printed.
func output(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	read := func(f **os.File) func() string {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		old := *f
		*f = w
		return func() string {
			*f = old
			require.NoError(t, w.Close())
			b, err := io.ReadAll(r)
			require.NoError(t, err)
			return string(b)
		}
	}
	out, errs := read(&os.Stdout), read(&os.Stderr)
	code = run(t.Context(), args)
	return code, out(), errs()
}

func file(t *testing.T, name, text string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

const settings = `server_name: hs1
database: "sqlite::memory:"
listeners: {client: {address: "127.0.0.1:0"}}
passwords: {memory_kib: 8, passes: 1, threads: 1}
registration: {shared_secret: "sesame"}
`

// TestRegisterUser goes the whole way: settings, server, command, login.
func TestRegisterUser(t *testing.T) {
	path := file(t, "touchstone.yaml", settings)
	cfg, err := config.Load(config.Sources{Env: []string{"TOUCHSTONE_CONFIG=" + path}})
	require.NoError(t, err)
	s, err := server.Start(t.Context(), cfg, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(t.Context())) })
	register := func(user, password string, more ...string) (int, string, string) {
		args := []string{"register-user", "--config", path, "--url", s.ClientURL(), "--user", user, "--password-file", file(t, "password", password)}
		return output(t, append(args, more...)...)
	}
	code, out, errs := register("Alice", "sésame, ouvre-toi\r\nnot this line\n")
	require.Zero(t, code, errs)
	require.Equal(t, "@alice:hs1 is registered.\n", out)
	body, err := json.Marshal(map[string]any{
		"type": "m.login.password", "password": "sésame, ouvre-toi", "identifier": map[string]any{"type": "m.id.user", "user": "alice"},
	})
	require.NoError(t, err)
	resp, err := http.Post(s.ClientURL()+"/_matrix/client/v3/login", "application/json", bytes.NewReader(body))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)

	code, out, errs = register("root", "x", "--admin")
	require.Zero(t, code, errs)
	require.Equal(t, "@root:hs1 is registered.\n", out)

	for name, c := range map[string]struct {
		user, password string
		more           []string
		says           string
	}{
		"a name that is taken":        {"ALICE", "x", nil, "M_USER_IN_USE"},
		"a bad name":                  {"a b", "x", nil, "M_INVALID_USERNAME"},
		"an empty password":           {"bob", "\n", nil, "the password is empty"},
		"a password past all sense":   {"bob", strings.Repeat("x", maxLine), nil, "longer than"},
		"a password that is too long": {"bob", strings.Repeat("x", 5000), nil, "M_TOO_LARGE"},
		"another server":              {"bob", "x", []string{"--url", "http://127.0.0.1:1"}, "is it running?"},
	} {
		code, out, errs = register(c.user, c.password, c.more...)
		require.Equal(t, 1, code, name)
		require.Empty(t, out, name)
		require.Contains(t, errs, c.says, name)
	}
}

func TestAPasswordIsTypedTwice(t *testing.T) {
	for _, c := range []struct{ first, second, says string }{
		{"wonderland", "wonderland", ""}, {"wonderland", "Wonderland", "differ"}, {"", "", "empty"},
	} {
		typed := []string{c.first, c.second}
		password, err := typePassword(func() ([]byte, error) {
			line := typed[0]
			typed = typed[1:]
			return []byte(line), nil
		})
		if c.says == "" {
			require.NoError(t, err)
			require.Equal(t, c.first, password)
		} else {
			require.ErrorContains(t, err, c.says)
		}
	}
	_, err := typePassword(func() ([]byte, error) { return nil, io.ErrUnexpectedEOF })
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// TestNobodyIsAskedForAPassword where none is typed: what a script prints stays
// its own.
func TestNobodyIsAskedForAPassword(t *testing.T) {
	stdin := os.Stdin
	t.Cleanup(func() { os.Stdin = stdin })
	in, err := os.Open(file(t, "password", "wonderland\n"))
	require.NoError(t, err)
	defer in.Close()
	os.Stdin = in
	code, out, errs := output(t, "register-user", "--config", file(t, "touchstone.yaml", settings), "--url", "http://127.0.0.1:1", "--user", "alice")
	require.Equal(t, 1, code)
	require.Empty(t, out)
	require.True(t, strings.HasPrefix(errs, "touchstone register-user: cannot reach the server (is it running?)"), errs)
}

func TestRegisterUserNeedsTheSecret(t *testing.T) {
	path := file(t, "touchstone.yaml", strings.Replace(settings, "registration", "#registration", 1))
	code, _, errs := output(t, "register-user", "--config", path, "--user", "bob", "--password-file", file(t, "p", "x"))
	require.Equal(t, 1, code)
	require.Contains(t, errs, "registration.shared_secret")
	code, _, _ = output(t, "register-user", "--nonsense")
	require.Equal(t, 2, code)
}
