// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone.example/tests/harness"
)

// machine says what the figures depend on.
func machine(t *subject) []fact {
	facts := []fact{
		{"date", time.Now().UTC().Format(time.RFC3339)},
		{"commit", commit()},
		{"Go", runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH},
		{"processors", fmt.Sprint(runtime.NumCPU(), " × ", lineOf("/proc/cpuinfo", "model name"))},
		{"memory", lineOf("/proc/meminfo", "MemTotal")},
		{"kernel", firstLine("/proc/sys/kernel/osrelease")},
		{"load before", firstLine("/proc/loadavg")},
		{"temporary folder", os.TempDir()},
	}
	if len(chosenEngines()) == 0 {
		return facts
	}
	facts = append(facts, fact{"engines", harness.EngineReport()},
		fact{"note", "client and server share the processors; the server is a process of its own"})
	for _, e := range chosenEngines() {
		if e == harness.Postgres {
			t.sub("postgres", func(t *subject) { facts = append(facts, postgresFacts(t)...) })
		}
	}
	return append(facts, fact{"SQLite", "a file in the temporary folder, WAL, synchronous=FULL"})
}

// postgresFacts says how durable the database is, on which everything hangs.
func postgresFacts(t *subject) []fact {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, harness.Postgres.NewDatabase(t, true))
	t.must(err)
	defer conn.Close(ctx)
	var facts []fact
	for _, name := range []string{"server_version", "fsync", "synchronous_commit"} {
		var value string
		t.must(conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value))
		facts = append(facts, fact{"PostgreSQL " + name, value})
	}
	return facts
}

func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func firstLine(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// lineOf returns what follows a name and a colon in a file of /proc.
func lineOf(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
