// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"touchstone.example/server"
	"touchstone.example/server/config"
	"touchstone.example/server/obs"
	"touchstone.example/spec"
)

// load reads the settings from the command line, the file and the environment.
func load(name string, args []string) (*config.Config, error) {
	fs := flags(name)
	settings := config.BindFlags(fs)
	if err := parse(fs, args); err != nil {
		return nil, err
	}
	cfg, err := config.Load(config.Sources{Env: os.Environ(), Flags: settings})
	if err != nil {
		return nil, fmt.Errorf("settings:\n%w", err)
	}
	return cfg, nil
}

func serve(ctx context.Context, args []string) error {
	// Signals by which programs tell servers to reload certificates; caught also during
	// the start.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	cfg, err := load("serve", args)
	if err != nil {
		return err
	}
	log := obs.NewLogger(os.Stderr, cfg.Log.Level, cfg.Log.Format)
	for _, note := range cfg.Notes {
		log.Warn("settings", "note", note)
	}
	s, err := server.Start(ctx, cfg, log)
	if err != nil {
		return err
	}
	greet(os.Stdout, cfg, s)
	s.ReloadOn(hangups)
	return s.Wait()
}

// greet prints what runs, where, and what to try next.
func greet(w io.Writer, cfg *config.Config, s *server.Listeners) {
	fmt.Fprintf(w, "Touchstone, a Matrix homeserver for Matrix %s\n\n", spec.Version)
	fmt.Fprintf(w, "  server name   %s\n", cfg.ServerName)
	fmt.Fprintf(w, "  clients       %s\n", s.ClientURL())
	fmt.Fprintf(w, "  database      %s\n", s.DatabaseName())
	if url := s.MetricsURL(); url != "" {
		fmt.Fprintf(w, "  metrics       %s\n", url)
	}
	fmt.Fprintf(w, "  registration  %s\n", whoRegisters(&cfg.Registration))
	if cfg.Lab {
		fmt.Fprintf(w, "  lab mode      %s; do not expose it to the internet\n", labData(s))
	}
	if url := s.LabURL(); url != "" {
		fmt.Fprintf(w, "  control       %s/_touchstone/lab/v1/\n", url)
	}
	fmt.Fprintf(w, "\nTry:  curl %s/_matrix/client/versions\n", s.ClientURL())
	fmt.Fprint(w, "Stop with Ctrl-C.\n")
}

// labData describes what happens to the data in lab mode, which may use a real
// database.
func labData(s *server.Listeners) string {
	if s.Temporary() {
		return "anyone can register, and the data is gone when the server stops"
	}
	return "anyone can register; the data stays in the database"
}

func whoRegisters(r *config.Registration) string {
	switch {
	case r.Enabled && r.Token != "":
		return "by those who know the token of the settings"
	case r.Enabled:
		return "open to everybody who reaches this server"
	case r.SharedSecret != "":
		return "by those who know the shared secret (touchstone register-user)"
	}
	return "off; set registration.enabled or registration.shared_secret, or start with --lab to try things out"
}

func checkConfig(_ context.Context, args []string) error {
	cfg, err := load("check-config", args)
	if err != nil {
		return err
	}
	for _, note := range cfg.Notes {
		fmt.Fprintf(os.Stdout, "note: %s\n", note)
	}
	fmt.Fprintln(os.Stdout, "The settings are valid.")
	return nil
}

func generateConfig(_ context.Context, args []string) error {
	if err := parse(flags("generate-config"), args); err != nil {
		return err
	}
	return config.Generate(os.Stdout)
}

func version(_ context.Context, args []string) error {
	if err := parse(flags("version"), args); err != nil {
		return err
	}
	b := obs.ReadBuild(spec.Version)
	fmt.Fprintf(os.Stdout, "touchstone %s (%s), Matrix %s, %s\n", b.Version, b.Revision, b.Spec, b.Go)
	return nil
}
