// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/server"
	"touchstone.example/server/config"
)

// writeCertificate writes a certificate with a serial number, and its key.
func writeCertificate(t *testing.T, certFile, keyFile string, serial int64) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		require.NoError(t, os.WriteFile(name, pem.EncodeToMemory(block), 0o600))
	}
}

// TestCertificatesAreReadAgain: a signal makes new connections see a renewed
// certificate; open ones go on, and files that are wrong change nothing.
func TestCertificatesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, certFile, keyFile, 1)
	cfg := config.Default()
	cfg.Database = "sqlite::memory:"
	cfg.Listeners.Client = config.TLSListener{Address: "127.0.0.1:0", TLSCertFile: certFile, TLSKeyFile: keyFile}
	s, err := server.Start(t.Context(), cfg, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(t.Context())) })
	signals := make(chan os.Signal) // unbuffered: a send that returns has been heard
	s.ReloadOn(signals)

	connect := func() (*tls.Conn, int64) {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.ClientURL(), "https://"), &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		return conn, conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	reload := func() { // the second signal is heard when the first has been dealt with
		signals <- syscall.SIGHUP
		signals <- syscall.SIGHUP
	}
	open, serial := connect()
	require.EqualValues(t, 1, serial)

	writeCertificate(t, certFile, keyFile, 2)
	reload()
	_, serial = connect()
	require.EqualValues(t, 2, serial)

	require.NoError(t, os.WriteFile(certFile, []byte("half a file"), 0o600))
	reload()
	_, serial = connect()
	require.EqualValues(t, 2, serial)

	_, err = open.Write([]byte("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
	require.NoError(t, err)
	answer := make([]byte, 12)
	_, err = open.Read(answer)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 200", string(answer))
}

func TestATakenPortSaysHowToChooseAnother(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	cfg := config.Default()
	cfg.Database = "sqlite::memory:"
	cfg.Listeners.Client.Address = l.Addr().String()
	_, err = server.Start(t.Context(), cfg, nil)
	require.ErrorContains(t, err, `--listen 127.0.0.1:0 (make run ARGS="--listen 127.0.0.1:0")`)
}
