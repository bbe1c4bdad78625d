// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone.example/tests/harness"
)

// machine returns the facts about the machine on which the figures depend.
func machine(t *benchTB) []fact {
	facts := []fact{
		{"date", time.Now().UTC().Format(time.RFC3339)},
		{"commit", commit()},
		{"Go", runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH},
		{"processors", fmt.Sprint(runtime.NumCPU(), " × ", procValue("/proc/cpuinfo", "model name"))},
		{"memory", procValue("/proc/meminfo", "MemTotal")},
		{"kernel", firstLine("/proc/sys/kernel/osrelease")},
		{"load before", firstLine("/proc/loadavg")},
		{"temporary folder", os.TempDir()},
		{"disk", flushTime()},
	}
	if len(selectedEngines()) == 0 {
		return facts
	}
	facts = append(facts, fact{"engines", harness.EngineReport()},
		fact{"note", "client and server share the processors; the server is a process of its own"})
	for _, e := range selectedEngines() {
		if e == harness.Postgres {
			t.sub("postgres", func(t *benchTB) { facts = append(facts, postgresFacts(t)...) })
		}
	}
	return append(facts, fact{"SQLite", "a file in the temporary folder, WAL, synchronous=FULL"})
}

// flushTime measures how long the disk takes to flush the data of a commit. It
// limits the number of commits per second that wait for each other.
func flushTime() string {
	file, err := os.CreateTemp("", "bench-disk-")
	if err != nil {
		return err.Error()
	}
	defer os.Remove(file.Name())
	defer file.Close()
	const size = 48 << 10
	took := make([]time.Duration, 50)
	for i := range took {
		began := time.Now()
		_, err := file.Write(make([]byte, size))
		if err == nil {
			err = file.Sync()
		}
		if err != nil {
			return err.Error()
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	median := took[len(took)/2]
	return fmt.Sprintf("%.2f ms to append %d kB and flush them, so at most %.0f commits a second one after the other",
		median.Seconds()*1000, size>>10, 1/median.Seconds())
}

// postgresFacts returns the durability settings of the database, on which the
// figures depend most.
func postgresFacts(t *benchTB) []fact {
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

// procValue returns the value after a name and a colon in a file of /proc.
func procValue(file, name string) string {
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
