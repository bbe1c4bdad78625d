// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"

	"touchstone.example/server/config"
)

// health is for container engines, whose images have no shell to ask with.
func health(ctx context.Context, args []string) error {
	fs := flags("health")
	settings := config.BindFlags(fs)
	url := fs.String("url", "", "the `URL` of the server (default: the client listener of the settings)")
	if err := parse(fs, args); err != nil {
		return err
	}
	client := http.DefaultClient
	if *url == "" {
		cfg, err := config.Load(config.Sources{Env: os.Environ(), Flags: settings})
		if err != nil {
			return fmt.Errorf("settings:\n%w", err)
		}
		*url = baseURL(cfg.Listeners.Client)
		// This machine's own listener, asked by an address that its
		// certificate does not name, and told no secret.
		client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	}
	var answer struct{}
	return call(ctx, client, http.MethodGet, *url+"/health", nil, &answer)
}
