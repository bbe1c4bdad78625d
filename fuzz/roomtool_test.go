// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomtool"
)

// room runs a command of "touchstone room" with this standard input.
func room(stdin string, args ...string) (code int, out string) {
	var o, e strings.Builder
	code = roomtool.Run(args, roomtool.Streams{
		In: strings.NewReader(stdin), Out: &o, Err: &e,
		Open: func(string) (io.ReadCloser, error) { return nil, fs.ErrNotExist },
	})
	return code, o.String()
}

func addRooms(f *testing.F, pattern string, add func(string)) {
	paths, err := filepath.Glob("../server/roomtool/testdata/rooms/" + pattern)
	require.NoError(f, err)
	require.NotEmpty(f, paths)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(f, err)
		if len(b) < 16<<10 { // large rooms slow down fuzzing
			add(string(b))
		}
	}
}

// FuzzRoomLines passes any input to the commands that read rooms. They must
// print text, and pictures must be XML.
func FuzzRoomLines(f *testing.F) {
	addRooms(f, "*.jsonl", func(s string) { f.Add(s, "") })
	addRooms(f, "*.txt", func(s string) {
		if code, built := room(s, "build"); code == roomtool.ExitGood {
			f.Add(built, "")
			f.Add(built, "3")
		}
	})
	f.Add("{}\n\n[]\n{\"a\":", "11")
	f.Fuzz(func(t *testing.T, data, version string) {
		for _, command := range []string{
			"check", "check --json", "resolve --trace", "resolve --json --trace", "hash", "hash --json", "redact", "graph --auth", "graph --format dot --last 3",
		} {
			args := strings.Fields(command)
			if version != "" {
				args = append(args, "--room-version="+version)
			}
			code, out := room(data, args...)
			require.Contains(t, []int{roomtool.ExitGood, roomtool.ExitFailed, roomtool.ExitUsage, roomtool.ExitNoInput}, code)
			if code == roomtool.ExitUsage || code == roomtool.ExitNoInput {
				require.Empty(t, out, command)
			}
			if strings.HasPrefix(command, "graph --auth") && code == roomtool.ExitGood {
				requireXML(t, out)
			}
			if command == "redact" || strings.Contains(command, "--json") {
				continue // JSON escapes control characters
			}
			at := strings.IndexFunc(out, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' })
			require.Negative(t, at, "%s prints what is no text: %q", command, out[max(0, at-10):])
		}
	})
}

// FuzzRoomBuild builds rooms of any descriptions. The built events must be
// readable.
func FuzzRoomBuild(f *testing.F) {
	addRooms(f, "*.txt", func(s string) { f.Add(s) })
	f.Fuzz(func(t *testing.T, data string) {
		code, built := room(data, "build")
		if code != roomtool.ExitGood || built == "" {
			return
		}
		_, again := room(data, "build")
		require.Equal(t, built, again)
		code, out := room(built, "check")
		require.Contains(t, []int{roomtool.ExitGood, roomtool.ExitFailed}, code)
		require.NotContains(t, out, "dropped ")
	})
}

func requireXML(t *testing.T, s string) {
	dec := xml.NewDecoder(strings.NewReader(s))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return
		} else {
			require.NoError(t, err)
		}
	}
}
