// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/config"
)

// load reads settings from a file's text, an environment and arguments, with
// other files beside them.
func load(t *testing.T, yaml string, env []string, args []string, files map[string]string) (*config.Config, error) {
	t.Helper()
	set := flag.NewFlagSet("touchstone", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	flags := config.BindFlags(set)
	require.NoError(t, set.Parse(args))
	return config.Load(config.Sources{File: "t.yaml", Env: env, Flags: flags, ReadFile: func(path string) ([]byte, error) {
		if path == "t.yaml" {
			return []byte(yaml), nil
		}
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}})
}

func generated(t *testing.T) string {
	var b bytes.Buffer
	require.NoError(t, config.Generate(&b))
	return b.String()
}

var commented = regexp.MustCompile(`(?m)^( *)#([a-z])`)

func TestTheGeneratedFileIsTheDefaults(t *testing.T) {
	as, err := load(t, generated(t), nil, nil, nil)
	require.NoError(t, err)
	require.Equal(t, config.Default(), as)

	all, err := load(t, commented.ReplaceAllString(generated(t), "$1$2"), nil, nil, nil)
	require.NoError(t, err, "every commented line is a setting")
	require.Equal(t, config.Default(), all)
}

func TestTheGeneratedFileNamesEverySetting(t *testing.T) {
	var paths []string
	section := ""
	for line := range strings.Lines(commented.ReplaceAllString(generated(t), "$1$2")) {
		key, value, isKey := strings.Cut(strings.TrimRight(line, "\n"), ":")
		if depth := len(key) - len(strings.TrimLeft(key, " ")); !isKey || strings.Contains(key, "#") {
			continue
		} else {
			names := strings.Split(section, ".")
			section = strings.TrimPrefix(strings.Join(append(names[:min(depth/2, len(names))], strings.TrimSpace(key)), "."), ".")
		}
		if value != "" {
			paths = append(paths, section)
		}
	}
	require.Equal(t, config.Paths(), paths)
}

func TestWithNothingTheDefaultsHold(t *testing.T) {
	c, err := config.Load(config.Sources{})
	require.NoError(t, err)
	require.Equal(t, config.Default(), c)
	require.True(t, c.Loopback())
	url, err := c.DatabaseURL()
	require.NoError(t, err)
	folder, err := filepath.Abs("touchstone-data")
	require.NoError(t, err)
	require.Equal(t, "sqlite://"+filepath.ToSlash(folder)+"/touchstone.db", url)
}

func TestEverySettingCanComeFromTheFileAndTheEnvironment(t *testing.T) {
	file := `
server_name: example.org:8448
data_folder: /data
listeners:
  client: {address: ":8008"}
  federation:
    address: 0.0.0.0:8448
    tls_cert_file: cert.pem
    tls_key_file: key.pem
well_known: {client: "https://m.example.org", server: "m.example.org:443"}
registration: {enabled: yes, shared_secret: s}
passwords: {memory_kib: 1024, passes: 3, threads: 2, concurrency: 4}
federation: {trusted_ca_file: ca.pem, allow_private: true}
appservices: [a.yaml, &b b.yaml]
ready_file: *b
presence: {enabled: off}
rate_limits: {enabled: off}
unstable: [msc3930]
strictness: {profile: synapse, rules: {request-type: off, request-enum: report}}
log: {level: debug, format: json}
`
	files := map[string]string{"cert.pem": "", "key.pem": "", "ca.pem": "", "a.yaml": goodRegistration, "b.yaml": otherRegistration}
	want := config.Default()
	want.ServerName = "example.org:8448"
	want.DataFolder = "/data"
	want.Listeners.Client.Address = ":8008"
	want.Listeners.Federation = config.TLSListener{Address: "0.0.0.0:8448", TLSCertFile: "cert.pem", TLSKeyFile: "key.pem"}
	want.WellKnown = config.WellKnown{Client: "https://m.example.org", Server: "m.example.org:443"}
	want.Registration = config.Registration{Enabled: true, SharedSecret: "s"}
	want.Passwords = config.Passwords{MemoryKiB: 1024, Passes: 3, Threads: 2, Concurrency: 4}
	want.Federation = config.Federation{TrustedCAFile: "ca.pem", AllowPrivate: true}
	want.AppServices = []string{"a.yaml", "b.yaml"}
	want.ReadyFile = "b.yaml"
	want.Notes = []string{"appservices has no effect yet"}
	want.Presence.Enabled = false
	want.RateLimits.Enabled = false
	want.Unstable = []string{config.MSC3930}
	want.Strictness = config.Strictness{Profile: "synapse", Rules: map[string]string{"request-type": "off", "request-enum": "report"}}
	want.Log = config.Log{Level: slog.LevelDebug, Format: "json"}

	got, err := load(t, file, nil, nil, files)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.False(t, got.Loopback())

	got, err = load(t, "", []string{
		"TOUCHSTONE_SERVER_NAME=example.org:8448",
		"TOUCHSTONE_DATA_FOLDER=/data",
		"TOUCHSTONE_LISTENERS_CLIENT_ADDRESS=:8008",
		"TOUCHSTONE_LISTENERS_FEDERATION_ADDRESS=0.0.0.0:8448",
		"TOUCHSTONE_LISTENERS_FEDERATION_TLS_CERT_FILE=cert.pem",
		"TOUCHSTONE_LISTENERS_FEDERATION_TLS_KEY_FILE=key.pem",
		"TOUCHSTONE_WELL_KNOWN_CLIENT=https://m.example.org",
		"TOUCHSTONE_WELL_KNOWN_SERVER=m.example.org:443",
		"TOUCHSTONE_REGISTRATION_ENABLED=1",
		"TOUCHSTONE_REGISTRATION_SHARED_SECRET=s",
		"TOUCHSTONE_PASSWORDS_MEMORY_KIB=1024",
		"TOUCHSTONE_PASSWORDS_PASSES=3",
		"TOUCHSTONE_PASSWORDS_THREADS=2",
		"TOUCHSTONE_PASSWORDS_CONCURRENCY=4",
		"TOUCHSTONE_FEDERATION_TRUSTED_CA_FILE=ca.pem",
		"TOUCHSTONE_FEDERATION_ALLOW_PRIVATE=TRUE",
		"TOUCHSTONE_APPSERVICES=a.yaml, b.yaml",
		"TOUCHSTONE_READY_FILE=b.yaml",
		"TOUCHSTONE_PRESENCE_ENABLED=false",
		"TOUCHSTONE_RATE_LIMITS_ENABLED=false",
		"TOUCHSTONE_UNSTABLE=msc3930",
		"TOUCHSTONE_STRICTNESS_PROFILE=synapse",
		"TOUCHSTONE_STRICTNESS_RULES=request-type=off, request-enum=report",
		"TOUCHSTONE_LOG_LEVEL=DEBUG",
		"TOUCHSTONE_LOG_FORMAT=json",
	}, nil, files)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestAFlagWinsOverTheEnvironmentOverTheFile(t *testing.T) {
	file := "server_name: file\nlisteners: {client: {address: '127.0.0.1:1'}}"
	env := []string{"TOUCHSTONE_SERVER_NAME=env", "TOUCHSTONE_LISTEN=127.0.0.1:2", "PATH=/bin"}
	c, err := load(t, file, nil, nil, nil)
	require.NoError(t, err)
	require.Equal(t, "file 127.0.0.1:1", fmt.Sprint(c.ServerName, " ", c.Listeners.Client.Address))
	c, err = load(t, file, env, nil, nil)
	require.NoError(t, err)
	require.Equal(t, "env 127.0.0.1:2", fmt.Sprint(c.ServerName, " ", c.Listeners.Client.Address))
	c, err = load(t, file, env, []string{"--server-name", "flag", "--listen=127.0.0.1:3"}, nil)
	require.NoError(t, err)
	require.Equal(t, "flag 127.0.0.1:3", fmt.Sprint(c.ServerName, " ", c.Listeners.Client.Address))
	c, err = load(t, file, []string{"TOUCHSTONE_SERVER_NAME="}, nil, nil)
	require.NoError(t, err)
	require.EqualValues(t, "file", c.ServerName, "an empty variable counts as absent")
}

func TestTheFileIsNamedByAFlagOrTheEnvironment(t *testing.T) {
	read := func(path string) ([]byte, error) { return []byte("server_name: " + path), nil }
	c, err := config.Load(config.Sources{Env: []string{"TOUCHSTONE_CONFIG=env.yaml"}, ReadFile: read})
	require.NoError(t, err)
	require.EqualValues(t, "env.yaml", c.ServerName)
	require.Empty(t, c.Notes)

	set := flag.NewFlagSet("touchstone", flag.ContinueOnError)
	flags := config.BindFlags(set)
	require.NoError(t, set.Parse([]string{"--config", "flag.yaml"}))
	c, err = config.Load(config.Sources{Env: []string{"TOUCHSTONE_CONFIG=env.yaml"}, Flags: flags, ReadFile: read})
	require.NoError(t, err)
	require.EqualValues(t, "flag.yaml", c.ServerName)

	_, err = config.Load(config.Sources{File: filepath.Join(t.TempDir(), "absent.yaml")})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestLabModeHasOtherDefaults(t *testing.T) {
	want := config.LabDefault()
	for name, c := range map[string]struct{ yaml, env, arg string }{
		"file": {yaml: "lab: true"}, "environment": {env: "TOUCHSTONE_LAB=true"}, "flag": {arg: "--lab"},
	} {
		args := strings.Fields(c.arg)
		got, err := load(t, c.yaml, []string{c.env}, args, nil)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
	got, err := load(t, "rate_limits: {enabled: true}\ndatabase: sqlite:///x.db\nseed: s\nclock: 2026-01-02T03:04:05Z+", nil,
		[]string{"--lab", "--listen", "0.0.0.0:0"}, nil)
	require.NoError(t, err)
	require.True(t, got.RateLimits.Enabled)
	require.True(t, got.Registration.Enabled)
	require.Equal(t, "127.0.0.1:0", got.Listeners.Lab.Address)
	beside, err := load(t, "", nil, []string{"--lab", "--listen", "127.0.0.1:9000"}, nil)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:9001", beside.Listeners.Lab.Address)
	url, err := got.DatabaseURL()
	require.NoError(t, err)
	require.Equal(t, "sqlite:///x.db", url)

	off, err := load(t, "lab: true", nil, []string{"--lab=false"}, nil)
	require.NoError(t, err)
	require.Equal(t, config.Default(), off)
}

func TestSecretsComeFromFiles(t *testing.T) {
	files := map[string]string{"url": "postgres://u:p@h/db\n", "secret": "s3cret\r\n"}
	c, err := load(t, "database_file: url\nregistration: {shared_secret_file: secret}", nil, nil, files)
	require.NoError(t, err)
	require.Equal(t, "postgres://u:p@h/db", string(c.Database))
	require.Equal(t, "s3cret", string(c.Registration.SharedSecret))

	c, err = load(t, "database_file: url", []string{"TOUCHSTONE_DATABASE=sqlite::memory:"}, nil, files)
	require.NoError(t, err)
	require.Equal(t, "sqlite::memory:", string(c.Database), "the environment displaces the file's twin")

	c, err = load(t, "database: 'sqlite::memory:'", []string{"TOUCHSTONE_DATABASE_FILE=url"}, []string{"--lab"}, files)
	require.NoError(t, err)
	require.Equal(t, "postgres://u:p@h/db", string(c.Database))
}

func TestSecretsDoNotShow(t *testing.T) {
	c, err := load(t, "registration: {shared_secret: hush, token: hush}\ndatabase: postgres://u:hush@h/db", nil, nil, nil)
	require.NoError(t, err)
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("settings", "secret", c.Registration.SharedSecret)
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v", c, c, c), logged.String()} {
		require.NotContains(t, shown, "hush")
		require.Contains(t, shown, "***")
	}
	require.Empty(t, config.Secret("").String())
}

func TestUnknownVariablesAreErrors(t *testing.T) {
	_, err := load(t, "", []string{"TOUCHSTONE_SERVERNAME=a", "TOUCHSTONE_FROBNICATE=1", "OTHER=b"}, nil, nil)
	require.EqualError(t, err, "environment TOUCHSTONE_SERVERNAME: unknown setting (did you mean TOUCHSTONE_SERVER_NAME?)\n"+
		"environment TOUCHSTONE_FROBNICATE: unknown setting")
}

// Kubernetes sets these for every service of a namespace, in every container.
func TestVariablesOfAnOrchestratorAreNoted(t *testing.T) {
	env := []string{
		"TOUCHSTONE_PORT=tcp://10.0.0.1:8008", "TOUCHSTONE_PORT_8008_TCP_ADDR=10.0.0.1", "TOUCHSTONE_SERVICE_HOST=10.0.0.1",
		"TOUCHSTONE_SERVICE_PORT_CLIENT=8008",
	}
	c, err := load(t, "", append(env, "TOUCHSTONE_TEST_POSTGRES=x"), nil, nil)
	require.NoError(t, err)
	require.Len(t, c.Notes, len(env))
	require.Contains(t, c.Notes[0], "TOUCHSTONE_PORT is not a setting")
}

func TestSettingsWithoutEffectAreNoted(t *testing.T) {
	files := map[string]string{"bridge.yaml": goodRegistration}
	c, err := load(t, "appservices: [bridge.yaml]", nil, []string{"--lab"}, files)
	require.NoError(t, err)
	require.Equal(t, []string{"appservices has no effect yet"}, c.Notes)
}

// TestTheControlPlaneIsOpenedTwice: an address that others can reach needs a second
// setting.
func TestTheControlPlaneIsOpenedTwice(t *testing.T) {
	const open = "lab: true\nlisteners: {lab: {address: '0.0.0.0:8009', anyone_may_control: %t}}"
	_, err := load(t, fmt.Sprintf(open, false), nil, nil, nil)
	require.ErrorContains(t, err, "others can reach 0.0.0.0:8009")
	c, err := load(t, fmt.Sprintf(open, true), nil, nil, nil)
	require.NoError(t, err)
	require.False(t, c.Listeners.Lab.Loopback())
}

func TestNoTwoSettingsShareAVariable(t *testing.T) {
	seen := map[string]string{}
	for _, path := range config.Paths() {
		name := strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
		require.NotContains(t, seen, name)
		seen[name] = path
	}
}

func TestProxiesAreAddressesAndNetworks(t *testing.T) {
	prefixes := func(l config.Listeners) (out []string) {
		for _, p := range l.Proxies() {
			out = append(out, p.String())
		}
		return out
	}
	require.Equal(t, []string{"127.0.0.0/8", "::1/128"}, prefixes(config.Default().Listeners))
	require.Equal(t, []string{"192.0.2.1/32", "10.0.0.0/8", "fd00::/8"}, prefixes(config.Listeners{TrustedProxies: []string{"192.0.2.1", "10.0.0.0/8", "fd00::/8"}}))
	require.Empty(t, prefixes(config.Listeners{}), "nobody is trusted")
}
