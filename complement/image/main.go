// SPDX-License-Identifier: Apache-2.0

// Command image is the program of the Complement image: a Touchstone server
// configured by Complement's environment.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"touchstone.example/complement/entry"
	"touchstone.example/server"
	"touchstone.example/server/config"
	"touchstone.example/server/obs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "complement image:", err)
		os.Exit(1)
	}
}

// serve prepares and runs the server until it receives a signal.
func serve(ctx context.Context) error {
	env, err := entry.Read(os.Getenv)
	if err != nil {
		return err
	}
	settings, err := entry.Prepare(env, time.Now())
	if err != nil {
		return err
	}
	cfg, err := config.Load(config.Sources{File: settings, Env: os.Environ()})
	if err != nil {
		return fmt.Errorf("settings:\n%w", err)
	}
	s, err := server.Start(ctx, cfg, obs.NewLogger(os.Stderr, cfg.Log.Level, cfg.Log.Format))
	if err != nil {
		return err
	}
	return s.Wait()
}
