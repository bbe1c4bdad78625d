// SPDX-License-Identifier: Apache-2.0

package roomtool_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomtool"
	"touchstone.example/server/roomver"
)

var update = flag.Bool("update", false, "write what the commands print as what they must print")

// files is the file system for the commands under test.
type files map[string][]byte

func (f files) open(name string) (io.ReadCloser, error) {
	b, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// run runs a command.
func (f files) run(stdin string, args ...string) (code int, out, errs string) {
	var o, e strings.Builder
	code = roomtool.Run(args, roomtool.Streams{In: strings.NewReader(stdin), Out: &o, Err: &e, Open: f.open})
	return code, o.String(), e.String()
}

// must runs a command that must succeed.
func (f files) must(t testing.TB, stdin string, args ...string) string {
	code, out, errs := f.run(stdin, args...)
	require.Equal(t, roomtool.ExitGood, code, errs)
	require.Empty(t, errs)
	return out
}

// rooms returns the rooms of testdata. NAME.jsonl has events; NAME.txt has
// descriptions, which are built: the events are NAME.jsonl and the keys
// NAME.keys. NAME-V is the same room in another version.
func rooms(t testing.TB) files {
	f := files{}
	for _, pattern := range []string{"testdata/rooms/*.txt", "testdata/rooms/*.jsonl"} {
		paths, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, paths)
		for _, path := range paths {
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			f[filepath.Base(path)] = b
		}
	}
	build := func(name, source string, flags ...string) {
		args := append([]string{"build", source + ".txt"}, flags...)
		f[name+".jsonl"] = []byte(f.must(t, "", args...))
		f[name+".keys"] = []byte(f.must(t, "", append(args, "--verify-keys")...))
	}
	for _, rules := range roomver.All() {
		source := "fork"
		if rules.CreatorsPrivileged {
			source = "fork-12"
		}
		build("fork-"+rules.Version, source, "--room-version", rules.Version)
	}
	build("fight-1", "fight", "--room-version", "1")
	build("fight-10", "fight", "--room-version", "10")
	build("fight-12", "fight-12")
	build("redactions-1", "redactions", "--room-version", "1")
	build("redactions-11", "redactions", "--room-version", "11")
	build("restricted", "restricted")
	return f
}

// golden compares a result with a golden file, or writes the file with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "go test -update writes it")
	require.Equal(t, string(want), got)
}

// transcript returns a command with its output and exit code.
func (f files) transcript(command string) string {
	code, out, errs := f.run("", strings.Fields(command)...)
	return fmt.Sprintf("$ touchstone room %s\n%s%s[exit code %d]\n", command, out, errs, code)
}

func TestCommandOutput(t *testing.T) {
	f := rooms(t)
	for _, c := range []struct{ name, command string }{
		{"check a room with all that can be wrong", "check broken.jsonl"},
		{"check a cycle", "check cycle.jsonl"},
		{"check signatures and hashes", "check --keys redactions-11.keys redactions-11.jsonl"},
		{"check signatures and hashes in version 1", "check --keys redactions-1.keys redactions-1.jsonl"},
		{"check a restricted join", "check --keys restricted.keys restricted.jsonl"},
		{"check a restricted join without keys", "check restricted.jsonl"},
		{"check as another version", "check --room-version 11 fork-10.jsonl"},
		{"check as json", "check --json --keys fork-12.keys fork-12.jsonl"},
		{"check what is broken as json", "check --json broken.jsonl"},
		{"check files together", "check fork-10.jsonl fight-10.jsonl"},
		{"resolve", "resolve fork-12.jsonl"},
		{"resolve open forks", "resolve broken.jsonl"},
		{"resolve by algorithm 1", "resolve --trace --before $s fork-1.jsonl"},
		{"resolve by algorithm 2", "resolve --trace --before $JJsX8 fight-10.jsonl"},
		{"resolve by algorithm 2.1", "resolve --trace fight-12.jsonl"},
		{"resolve as json", "resolve --trace --json fight-12.jsonl"},
		{"resolve what is not known", "resolve --at 3s9K_JE6De broken.jsonl"},
		{"hash", "hash fork-12.jsonl"},
		{"hash in version 1", "hash redactions-1.jsonl"},
		{"hash as json", "hash --json redactions-11.jsonl"},
		{"hash what is broken", "hash broken.jsonl"},
		{"redact", "redact redactions-11.jsonl"},
		{"redact in version 1", "redact redactions-1.jsonl"},
		{"verify", "verify --keys redactions-11.keys redactions-11.jsonl"},
		{"verify with other keys", "verify --keys fork-1.keys restricted.jsonl"},
		{"verify as json", "verify --json --keys restricted.keys restricted.jsonl"},
		{"verify what is broken", "verify --keys fork-10.keys broken.jsonl"},
		{"build", "build restricted.txt"},
		{"build keys", "build --verify-keys restricted.txt"},
		{"draw for graphviz", "graph --auth --format dot fight-10.jsonl"},
		{"draw what is broken for graphviz", "graph --format dot broken.jsonl"},
		{"help", "help"},
	} {
		t.Run(c.name, func(t *testing.T) {
			golden(t, strings.ReplaceAll(c.name, " ", "-")+".txt", f.transcript(c.command))
		})
	}
}

func TestEveryVersionHasItsOwnRules(t *testing.T) {
	f := rooms(t)
	for _, rules := range roomver.All() {
		name := "fork-" + rules.Version
		t.Run(rules.Version, func(t *testing.T) {
			golden(t, "versions/"+name+".txt", f.transcript("check --keys "+name+".keys "+name+".jsonl"))
		})
	}
}

func TestHelpNamesEveryCommandAndFlag(t *testing.T) {
	help := files{}.must(t, "", "--help")
	for _, name := range commandNames(t) {
		require.Contains(t, help, "\n  "+name+" ")
		own := files{}.must(t, "", name, "--help")
		require.Equal(t, own, files{}.must(t, "", "help", name))
		require.Equal(t, own, files{}.must(t, "", name, "file", "-h"))
		golden(t, "help/"+name+".txt", own)
	}
}

// commandNames lists the commands that help lists.
func commandNames(t *testing.T) []string {
	_, list, ok := strings.Cut(files{}.must(t, "", "help"), "Commands:\n")
	require.True(t, ok)
	list, _, ok = strings.Cut(list, "\n\n")
	require.True(t, ok)
	var names []string
	for line := range strings.Lines(list) {
		if name := strings.Fields(line)[0]; name != "help" {
			names = append(names, name)
		}
	}
	require.Len(t, names, 8)
	return names
}

func TestTheExamplesOfTheHelpWork(t *testing.T) {
	f := rooms(t)
	f["room.txt"], f["room.jsonl"], f["keys.json"] = f["fork-12.txt"], f["fork-12.jsonl"], f["fork-12.keys"]
	f["signing.key"] = []byte("ed25519 a_1 " + seed + "\n")
	f["seed.txt"] = []byte(seed + "\n")
	f["message.jsonl"] = []byte(`{"type":"m.room.message","content":{"body":"hello"},"room_id":"!room:one.example","sender":"@alice:one.example"}` + "\n")
	ids := strings.Fields(f.must(t, "", "hash", "--only", "event-id", "room.jsonl"))
	tried := 0
	for _, name := range commandNames(t) {
		_, examples, ok := strings.Cut(files{}.must(t, "", name, "--help"), "Examples:\n")
		require.True(t, ok, name)
		for line := range strings.Lines(examples) {
			command, ok := strings.CutPrefix(strings.TrimSpace(line), "touchstone room ")
			if !ok {
				continue
			}
			command, _, _ = strings.Cut(command, ">")
			command, _, _ = strings.Cut(command, "|")
			args := strings.Fields(command)
			for i, arg := range args {
				if arg == "EVENT" {
					args[i] = ids[11][:9] // the merge event
				}
			}
			code, out, errs := f.run("", args...)
			require.Empty(t, errs, command)
			require.NotEmpty(t, out, command)
			if name == "check" { // two events of the room are rejected
				require.Equal(t, roomtool.ExitFailed, code, command)
			} else {
				require.Equal(t, roomtool.ExitGood, code, command)
			}
			tried++
		}
	}
	require.Greater(t, tried, 20)
}
