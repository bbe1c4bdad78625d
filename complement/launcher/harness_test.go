// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rootfs builds the fake homeserver once, as the image for all tests.
var rootfs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "launcher-rootfs-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin", "entry"), "./testdata/fakehs")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	return dir, build.Run()
})

func TestMain(m *testing.M) {
	if os.Getenv("LAUNCHER_TEST_COMMAND") != "" {
		os.Exit(testCommand())
	}
	code := m.Run()
	if dir, err := rootfs(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// A testEngine is an engine under test with one network.
type testEngine struct {
	*testing.T
	e   *engine
	url string
	ca  map[string]string // the CA files that Complement copies to each server
	net string
}

func newTestEngine(t *testing.T) *testEngine {
	t.Helper()
	dir, err := rootfs()
	require.NoError(t, err, "build the fake homeserver")
	s := newStarter()
	if err := s.probe(); err != nil {
		t.Skipf("servers cannot be started here: %v", err)
	}
	held, err := reserveBlock()
	require.NoError(t, err)
	t.Cleanup(held.release)
	e := newEngine(t.TempDir(), "/bin/entry", held, s)
	e.addImage(&image{id: imageName, tags: []string{imageName + ":latest"}, dir: dir})
	srv := httptest.NewServer(e.handler())
	t.Cleanup(srv.Close)
	t.Cleanup(e.close)
	b := &testEngine{T: t, e: e, url: srv.URL, ca: authority(t)}
	b.net = b.network("net")
	return b
}

var authorityOnce = sync.OnceValues(func() (map[string]string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Complement Test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	return map[string]string{
		"/complement/ca/ca.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"/complement/ca/ca.key": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	}, err
})

func authority(t *testing.T) map[string]string {
	files, err := authorityOnce()
	require.NoError(t, err)
	return files
}

// call sends a request to the API and returns the status and the body, decoded
// if it is JSON.
func (b *testEngine) call(method, path string, body any) (int, map[string]any) {
	b.Helper()
	status, raw := b.raw(method, path, body)
	var out map[string]any
	if len(raw) > 0 {
		require.NoError(b, json.Unmarshal(raw, &out), string(raw))
	}
	return status, out
}

func (b *testEngine) raw(method, path string, body any) (int, []byte) {
	b.Helper()
	var in io.Reader
	switch body := body.(type) {
	case nil:
	case []byte:
		in = bytes.NewReader(body)
	default:
		text, err := json.Marshal(body)
		require.NoError(b, err)
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(b.Context(), method, b.url+"/v1.45"+path, in)
	require.NoError(b, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(b, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(b, err)
	return resp.StatusCode, raw
}

// list returns a list from the API, with ?filters.
func (b *testEngine) list(path, filters string) []map[string]any {
	b.Helper()
	if filters != "" {
		path += "&filters=" + url.QueryEscape(filters)
	}
	status, raw := b.raw("GET", path, nil)
	require.Equal(b, 200, status, string(raw))
	var out []map[string]any
	require.NoError(b, json.Unmarshal(raw, &out))
	return out
}

func (b *testEngine) network(name string) string {
	b.Helper()
	status, out := b.call("POST", "/networks/create", map[string]any{"Name": name, "Labels": map[string]string{"complement_pkg": "test"}})
	require.Equal(b, 201, status, out)
	return out["Id"].(string)
}

// request is the body with which Complement creates a server.
func request(image, alias string, env ...string) map[string]any {
	return map[string]any{
		"Image":      image,
		"Env":        append([]string{"SERVER_NAME=" + alias}, env...),
		"Labels":     map[string]string{"complement_hs_name": alias},
		"HostConfig": map[string]any{"ExtraHosts": []string{"host.docker.internal:host-gateway"}},
		"NetworkingConfig": map[string]any{"EndpointsConfig": map[string]any{
			"net": map[string]any{"Aliases": []string{alias}},
		}},
	}
}

// create makes a server and copies the CA to it, but does not start it.
func (b *testEngine) create(name string, req map[string]any) string {
	b.Helper()
	status, out := b.call("POST", "/containers/create?name="+name, req)
	require.Equal(b, 201, status, out)
	id := out["Id"].(string)
	for file, content := range b.ca {
		status, out := b.call("PUT", "/containers/"+id+"/archive?path=/", archive(b.T, file, content))
		require.Equal(b, 200, status, out)
	}
	return id
}

func archive(t *testing.T, name, content string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o777, Size: int64(len(content))}))
	_, err := w.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return buf.Bytes()
}

// mustDo calls an action of a container, which must succeed.
func (b *testEngine) mustDo(id, action string) {
	b.Helper()
	status, out := b.call("POST", "/containers/"+id+"/"+action, nil)
	require.Equal(b, 204, status, out)
}

// startAndWait starts a server and waits until it responds.
func (b *testEngine) startAndWait(id string) {
	b.Helper()
	b.mustDo(id, "start")
	b.ready(id)
}

func (b *testEngine) ready(id string) {
	b.Helper()
	require.Eventually(b, func() bool {
		resp, err := http.Get(b.clientURL(id) + "/_matrix/client/versions")
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil && resp.StatusCode == 200
	}, 20*time.Second, 5*time.Millisecond, "the server answers")
}

// get sends a request to a running server.
func (b *testEngine) get(id, path string) string {
	b.Helper()
	resp, err := http.Get(b.clientURL(id) + path)
	require.NoError(b, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(b, err)
	return strings.TrimSpace(string(text))
}

func (b *testEngine) inspect(id string) (state map[string]any, ports map[string]string) {
	b.Helper()
	status, out := b.call("GET", "/containers/"+id+"/json", nil)
	require.Equal(b, 200, status, out)
	ports = map[string]string{}
	for port, bound := range out["NetworkSettings"].(map[string]any)["Ports"].(map[string]any) {
		first := bound.([]any)[0].(map[string]any)
		require.Equal(b, "127.0.0.1", first["HostIp"])
		ports[port] = first["HostPort"].(string)
	}
	return out["State"].(map[string]any), ports
}

func (b *testEngine) clientURL(id string) string {
	_, ports := b.inspect(id)
	return "http://127.0.0.1:" + ports["8008/tcp"]
}

// expect checks the status of a container and the exit status of its last
// process.
func (b *testEngine) expect(id, status string, exit int) {
	b.Helper()
	state, ports := b.inspect(id)
	require.Equal(b, status, state["Status"])
	require.EqualValues(b, exit, state["ExitCode"])
	require.Equal(b, len(ports) > 0, state["Running"], "ports are published while it runs")
}

// logs returns the output of a server without Docker's frames.
func (b *testEngine) logs(id string) string {
	b.Helper()
	status, raw := b.raw("GET", "/containers/"+id+"/logs?stdout=1&stderr=1", nil)
	require.Equal(b, 200, status)
	var text strings.Builder
	for len(raw) > 0 {
		require.Equal(b, []byte{1, 0, 0, 0}, raw[:4])
		n := int(raw[4])<<24 | int(raw[5])<<16 | int(raw[6])<<8 | int(raw[7])
		text.Write(raw[8 : 8+n])
		raw = raw[8+n:]
	}
	return text.String()
}

func (b *testEngine) starts(id string) int {
	b.Helper()
	n, err := strconv.Atoi(b.get(id, "/starts"))
	require.NoError(b, err)
	return n
}
