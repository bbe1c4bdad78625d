// SPDX-License-Identifier: Apache-2.0

// Command fakehs is a minimal homeserver for the tests of the launcher: it
// meets the image requirements of Complement and answers /versions. Its other
// endpoints let tests see what a server sees.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"touchstone.example/complement/entry"
)

func main() {
	log.SetFlags(0)
	env, err := entry.Read(os.Getenv)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := entry.Prepare(env, time.Now()); err != nil {
		log.Fatal(err)
	}
	starts, err := count(filepath.Join(env.Data, "starts"))
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("fake homeserver %s: start %d", env.ServerName, starts)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /_matrix/client/versions", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"versions":["v1.19"]}`)
	})
	mux.HandleFunc("GET /starts", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, starts) })
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv(r.FormValue("name"))) })
	mux.HandleFunc("GET /fetch", fetch(filepath.Join(env.Complement, "ca/ca.crt")))
	mux.HandleFunc("POST /exit", func(http.ResponseWriter, *http.Request) { os.Exit(7) })

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	client := &http.Server{Addr: net.JoinHostPort(env.Bind.String(), "8008"), Handler: mux}
	federation := &http.Server{Addr: net.JoinHostPort(env.Bind.String(), "8448"), Handler: mux}
	failed := make(chan error, 2)
	go func() { failed <- client.ListenAndServe() }()
	go func() {
		failed <- federation.ListenAndServeTLS(filepath.Join(env.Data, "tls/leaf.crt"), filepath.Join(env.Data, "tls/leaf.key"))
	}()
	select {
	case err := <-failed:
		log.Fatal(err)
	case <-ctx.Done():
	}
	if os.Getenv("STUBBORN") != "" {
		log.Print("asked to end, and stays")
		select {}
	}
	if err := errors.Join(client.Close(), federation.Close()); err != nil {
		log.Fatal(err)
	}
	log.Print("stopped cleanly")
}

// count increments a number in a file.
func count(file string) (int, error) {
	n := 0
	b, err := os.ReadFile(file)
	if err == nil {
		n, err = strconv.Atoi(string(b))
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	n++
	return n, os.WriteFile(file, []byte(strconv.Itoa(n)), 0o600)
}

// fetch sends a request to another server over federation and verifies it with
// Complement's CA.
func fetch(caFile string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ca, err := os.ReadFile(caFile)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: 10 * time.Second}
		resp, err := c.Get(r.FormValue("url"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		io.Copy(w, resp.Body)
	}
}
