// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/config"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// container makes a folder with the files that Complement puts into a
// container, with a smaller CA key.
func container(t *testing.T) Environment {
	t.Helper()
	root := t.TempDir()
	env := Environment{ServerName: "hs1", Bind: netip.IPv4Unspecified(),
		Complement: filepath.Join(root, "complement"), Data: filepath.Join(root, "data")}
	writeAuthority(t, env)
	return env
}

func writeAuthority(t *testing.T, env Environment) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Complement Test CA"},
		NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	place(t, env.Complement, "ca/ca.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	place(t, env.Complement, "ca/ca.key", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func place(t *testing.T, root, name string, content []byte) {
	t.Helper()
	file := filepath.Join(root, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, content, 0o600))
}

func TestRead(t *testing.T) {
	read := func(vars map[string]string) (Environment, error) {
		return Read(func(name string) string { return vars[name] })
	}

	env, err := read(map[string]string{"SERVER_NAME": "hs1"})
	require.NoError(t, err)
	require.Equal(t, Environment{ServerName: "hs1", Bind: netip.IPv4Unspecified(), Complement: "/complement", Data: "/data"}, env)

	env, err = read(map[string]string{"SERVER_NAME": "hs2", "BIND_ADDRESS": "127.64.1.2"})
	require.NoError(t, err)
	require.Equal(t, netip.MustParseAddr("127.64.1.2"), env.Bind)

	_, err = read(nil)
	require.ErrorContains(t, err, "SERVER_NAME is not set")
	_, err = read(map[string]string{"SERVER_NAME": "hs1", "BIND_ADDRESS": "everywhere"})
	require.ErrorContains(t, err, "BIND_ADDRESS")
}

func TestSettings(t *testing.T) {
	env := container(t)
	env.Bind = netip.MustParseAddr("127.64.1.2")
	place(t, env.Complement, "appservice/b.yaml", nil)
	place(t, env.Complement, "appservice/a.yaml", nil)
	place(t, env.Complement, "appservice/notes.txt", nil)

	file, err := Prepare(env, noon)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(env.Data, "touchstone.yaml"), file)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	want := strings.NewReplacer("{data}", env.Data, "{complement}", env.Complement).Replace(`
server_name: hs1
data_folder: {data}
listeners:
  client:
    address: 127.64.1.2:8008
  federation:
    address: 127.64.1.2:8448
    tls_cert_file: {data}/tls/leaf.crt
    tls_key_file: {data}/tls/leaf.key
registration:
  enabled: true
  guests: true
  shared_secret: complement
passwords:
  memory_kib: 8
  passes: 1
rooms:
  default_version: "11"
federation:
  trusted_ca_file: {complement}/ca/ca.crt
  allow_private: true
appservices:
  - {complement}/appservice/a.yaml
  - {complement}/appservice/b.yaml
rate_limits:
  enabled: false
unstable:
  - msc3930
strictness:
  profile: synapse
log:
  format: text
`)
	comment, settings, _ := strings.Cut(string(text), "\n")
	require.True(t, strings.HasPrefix(comment, "# "), comment)
	require.Equal(t, strings.TrimPrefix(want, "\n"), settings)
}

// The server refuses unknown keys, so this test shows that the keys above are
// right.
func TestTheServerTakesTheSettings(t *testing.T) {
	env := container(t)
	place(t, env.Complement, "appservice/a.yaml", []byte("id: a\nurl: null\nas_token: b\nhs_token: c\nsender_localpart: d\nnamespaces: {}\n"))
	file, err := Prepare(env, noon)
	require.NoError(t, err)

	cfg, err := config.Load(config.Sources{File: file})
	require.NoError(t, err)
	require.Equal(t, []string{"appservices has no effect yet"}, cfg.Notes)
	require.EqualValues(t, "hs1", cfg.ServerName)
	require.Equal(t, config.Registration{Enabled: true, Guests: true, SharedSecret: "complement"}, cfg.Registration)
	require.False(t, cfg.RateLimits.Enabled)
	require.Equal(t, config.Federation{TrustedCAFile: env.Complement + "/ca/ca.crt", AllowPrivate: true}, cfg.Federation)
	require.Len(t, cfg.AppServices, 1)
	url, err := cfg.DatabaseURL()
	require.NoError(t, err)
	require.Equal(t, "sqlite://"+env.Data+"/touchstone.db", url, "in the folder that a restart finds again")

	cfg, err = config.Load(config.Sources{File: file, Env: []string{"TOUCHSTONE_STRICTNESS_PROFILE=strict"}})
	require.NoError(t, err)
	require.Equal(t, "strict", cfg.Strictness.Profile, "variables that Complement passes on win")
}

func certificate(env Environment) (cert, key string) {
	return filepath.Join(env.Data, "tls/leaf.crt"), filepath.Join(env.Data, "tls/leaf.key")
}

// verify checks the certificate as another server does.
func verify(t *testing.T, env Environment, name string) error {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(certificate(env))
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(t, err)
	ca, err := os.ReadFile(filepath.Join(env.Complement, "ca/ca.crt"))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca))
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: noon})
	return err
}

func TestCertificateNamesOnlyItsServer(t *testing.T) {
	env := container(t)
	for _, c := range []struct{ server, good, bad string }{
		{"hs1", "hs1", "hs2"},
		{"hs1:8448", "hs1", "hs1:8448"},
		{"127.64.1.2", "127.64.1.2", "127.64.1.3"},
		{"127.64.1.2:8448", "127.64.1.2", "hs1"},
		{"[::1]:8448", "::1", "127.0.0.1"},
		{"[::1]", "::1", "hs1"},
	} {
		t.Run(c.server, func(t *testing.T) {
			env.ServerName = c.server
			_, err := Prepare(env, noon)
			require.NoError(t, err)
			require.NoError(t, verify(t, env, c.good))
			require.Error(t, verify(t, env, c.bad))
		})
	}
}

func TestEachStartMakesANewCertificate(t *testing.T) {
	env := container(t)
	first, err := Prepare(env, noon)
	require.NoError(t, err)
	require.NoError(t, verify(t, env, "hs1"))

	writeAuthority(t, env) // a committed image may be started by a later run of Complement
	require.Error(t, verify(t, env, "hs1"))
	second, err := Prepare(env, noon)
	require.NoError(t, err)
	require.NoError(t, verify(t, env, "hs1"))
	require.Equal(t, first, second, "a restart finds its files where they were")
}

func TestBadAuthorities(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, env Environment)
		want  string
	}{
		{"none", func(t *testing.T, env Environment) { require.NoError(t, os.RemoveAll(env.Complement)) },
			"Complement puts its authority there"},
		{"no PEM", func(t *testing.T, env Environment) { place(t, env.Complement, "ca/ca.crt", []byte("hello")) }, "no PEM block"},
		{"no certificate", func(t *testing.T, env Environment) {
			place(t, env.Complement, "ca/ca.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}))
		}, "ca.crt"},
		{"no key", func(t *testing.T, env Environment) {
			b, err := os.ReadFile(filepath.Join(env.Complement, "ca/ca.crt"))
			require.NoError(t, err)
			place(t, env.Complement, "ca/ca.key", b)
		}, "no private key"},
		{"another authority's key", func(t *testing.T, env Environment) {
			other := container(t)
			b, err := os.ReadFile(filepath.Join(other.Complement, "ca/ca.key"))
			require.NoError(t, err)
			place(t, env.Complement, "ca/ca.key", b)
		}, "is not the key of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := container(t)
			c.spoil(t, env)
			_, err := Prepare(env, noon)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestOtherKindsOfKey(t *testing.T) {
	env := container(t)
	b, err := os.ReadFile(filepath.Join(env.Complement, "ca/ca.key"))
	require.NoError(t, err)
	block, _ := pem.Decode(b)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	place(t, env.Complement, "ca/ca.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	_, err = Prepare(env, noon)
	require.NoError(t, err)
	require.NoError(t, verify(t, env, "hs1"))
}
