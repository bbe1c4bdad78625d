// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"

	"touchstone.example/server/config"
)

// health is the health check for container engines: the images have no shell or HTTP
// client.
func health(ctx context.Context, args []string) error {
	fs := flags("health")
	settings := config.BindFlags(fs, "listen")
	at := fs.String("url", "", "the `URL` of the server (default: the client listener of the settings)")
	if err := parse(fs, args); err != nil {
		return err
	}
	client := http.DefaultClient
	if *at == "" {
		cfg, err := config.Load(config.Sources{Env: os.Environ(), Flags: settings})
		if err != nil {
			return fmt.Errorf("settings:\n%w", err)
		}
		*at, client = ownServer(cfg)
	}
	var answer struct{}
	return call(ctx, client, http.MethodGet, *at+"/health", nil, &answer)
}

// ownServer returns the URL of the server on this machine and an HTTP client for it.
// The ready file has precedence over the settings, since the server may have been
// started with other flags.
//
// On the loopback interface the certificate is not verified: it does not name that
// address, and the connection stays on this machine.
func ownServer(cfg *config.Config) (string, *http.Client) {
	base := baseURL(cfg.Listeners.Client)
	if text, err := os.ReadFile(cfg.ReadyFile); err == nil {
		var ready struct{ Client string }
		if json.Unmarshal(text, &ready) == nil && ready.Client != "" {
			base = ready.Client
		}
	}
	u, err := url.Parse(base)
	if err != nil || !net.ParseIP(u.Hostname()).IsLoopback() {
		return base, http.DefaultClient
	}
	return base, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

// baseURL is a listener's URL on this machine.
func baseURL(l config.TLSListener) string {
	scheme := "http"
	if l.TLSCertFile != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(l.Address)
	if err == nil && (host == "" || host == "0.0.0.0" || host == "::" || host == "localhost") {
		return scheme + "://" + net.JoinHostPort("127.0.0.1", port)
	}
	return scheme + "://" + l.Address
}
