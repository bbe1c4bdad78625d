// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// log writes a run of csapi in the format of go test -json, from lines "action
// test", or "action" for the package.
func log(t *testing.T, lines ...string) string {
	t.Helper()
	var b strings.Builder
	for _, line := range lines {
		action, test, _ := strings.Cut(line, " ")
		fmt.Fprintf(&b, `{"Action":%q,"Package":"github.com/matrix-org/complement/tests/csapi","Test":%q,"Elapsed":1.6}`+"\n", action, test)
	}
	return file(t, b.String())
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "run.json")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	return name
}

// expected writes expectations for csapi and returns their folder.
func expected(t *testing.T, text string) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "csapi.txt"), []byte(text), 0o644))
	return folder
}

func report(t *testing.T, expect string, partial bool, files ...string) (string, bool) {
	t.Helper()
	var out bytes.Buffer
	worse, err := run(&out, expect, false, partial, files)
	require.NoError(t, err)
	return out.String(), worse
}

func TestAsExpected(t *testing.T) {
	run := log(t, "run TestA", "run TestA/x", "run TestA/y", "fail TestA/x", "skip TestA/y", "fail TestA", "run TestB", "pass TestB", "fail")
	out, worse := report(t, expected(t, "# top\n\nfail TestA\nfail TestA/x  # waits for createContent\nskip TestA/y\npass TestB\n"), false, run)
	require.False(t, worse)
	require.Equal(t, `tests/csapi: tests 1 passed, 1 failed, 0 skipped; with subtests 1, 2, 1; 2 s
  fail TestA
  fail TestA/x
  skip TestA/y
`, out)
}

func TestDifferences(t *testing.T) {
	for _, c := range []struct {
		name, expect string
		lines        []string
		worse        bool
		want         string
	}{
		{"a test fails that passed", "pass TestA\n", []string{"run TestA", "fail TestA", "fail"}, true,
			"expected to pass: 1\n    fail TestA\n"},
		{"a test is skipped that passed", "pass TestA\n", []string{"run TestA", "skip TestA", "pass"}, true,
			"expected to pass: 1\n    skip TestA\n"},
		{"a test passes that failed", "fail TestA  # waits\n", []string{"run TestA", "pass TestA", "pass"}, false,
			"better than expected (-update writes it down): 1\n    TestA\n"},
		{"a test fails that was skipped", "skip TestA\n", []string{"run TestA", "fail TestA", "fail"}, false,
			"failed otherwise than expected: 1\n    fail, not skip: TestA\n"},
		{"a test is gone", "pass TestA\npass TestB\n", []string{"run TestA", "pass TestA", "pass"}, true,
			"expected to run, and did not: 1\n    TestB\n"},
		{"a subtest did not run because its test failed", "fail TestA\npass TestA/x/y\n", []string{"run TestA", "fail TestA", "fail"}, false, ""},
		{"a new test passes", "", []string{"run TestA", "pass TestA", "pass"}, false, ""},
		{"a new test fails", "", []string{"run TestA", "fail TestA", "fail"}, true,
			"not in the expectations: 1\n    fail TestA\n"},
		{"a test crashed", "pass TestA\npass TestB\n", []string{"run TestA", "fail", "run TestA", "fail", "run TestB", "pass TestB", "pass"}, true,
			"expected to pass: 1\n    fail TestA\n"},
		{"a test crashed as expected", "fail TestA  # waits\n", []string{"run TestA", "fail", "run TestA", "fail"}, false,
			"fail TestA (it crashed, or another test did)\n"},
		{"a test was cut off", "pass TestA\n", []string{"run TestA", "fail", "run TestA", "pass TestA", "pass"}, false,
			"tests 1 passed, 0 failed"},
		{"a crash with nothing after it", "fail TestA\n", []string{"run TestA", "fail"}, true,
			"the package itself failed:"},
		{"the package never ended", "pass TestA\n", []string{"run TestA", "pass TestA"}, true,
			"the package itself failed:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, worse := report(t, expected(t, c.expect), false, log(t, c.lines...))
			require.Equal(t, c.worse, worse, out)
			if c.want == "" {
				require.NotContains(t, out, ": 1\n")
			}
			require.Contains(t, out, c.want)
		})
	}
}

func TestRemaining(t *testing.T) {
	list := file(t, "TestA\nTestB\nTestC\nok  \tgithub.com/matrix-org/complement/tests/csapi\t0.1s\n")
	for _, c := range []struct {
		name, want string
		lines      []string
	}{
		{"all ended", "", []string{"run TestA", "pass TestA", "run TestB", "fail TestB", "run TestC", "skip TestC", "fail"}},
		{"the second crashed", "^(TestB|TestC)$\n", []string{"run TestA", "pass TestA", "run TestB", "fail"}},
		{"and crashed again", "^(TestC)$\n", []string{"run TestA", "pass TestA", "run TestB", "fail", "run TestB", "fail"}},
		{"and the rest ran", "", []string{"run TestA", "pass TestA", "run TestB", "fail", "run TestB", "fail", "run TestC", "pass TestC", "pass"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, printRemaining(&out, list, []string{log(t, c.lines...)}))
			require.Equal(t, c.want, out.String())
		})
	}
	require.Error(t, printRemaining(new(bytes.Buffer), filepath.Join(t.TempDir(), "none"), []string{log(t, "pass")}))
}

func TestPartialRunMissesNothing(t *testing.T) {
	expect := expected(t, "pass TestA\npass TestB\n")
	out, worse := report(t, expect, true, log(t, "run TestA", "pass TestA", "pass"))
	require.False(t, worse, out)
}

func TestABuildThatFails(t *testing.T) {
	run := file(t, `go: downloading something
{"ImportPath":"github.com/matrix-org/complement/tests/csapi [github.com/matrix-org/complement/tests/csapi.test]","Action":"build-output","Output":"x.go:1: syntax error\n"}
{"Action":"start","Package":"github.com/matrix-org/complement/tests/csapi"}
{"Action":"fail","Package":"github.com/matrix-org/complement/tests/csapi","Elapsed":0}
`)
	out, worse := report(t, t.TempDir(), false, run)
	require.True(t, worse)
	require.Contains(t, out, "    x.go:1: syntax error\n")

	_, err := runUpdate(t, t.TempDir(), false, run)
	require.ErrorContains(t, err, "nothing is written")
}

func runUpdate(t *testing.T, folder string, partial bool, files ...string) (string, error) {
	t.Helper()
	worse, err := run(new(bytes.Buffer), folder, true, partial, files)
	if err != nil {
		return "", err
	}
	require.False(t, worse, "what is written down is no worse than expected")
	text, err := os.ReadFile(filepath.Join(folder, "csapi.txt"))
	require.NoError(t, err)
	return string(text), nil
}

func TestUpdate(t *testing.T) {
	first := log(t, "run TestB", "fail TestB", "run TestA", "pass TestA", "run TestC", "pass TestC", "fail")
	text, err := runUpdate(t, t.TempDir(), false, first)
	require.NoError(t, err)
	require.Equal(t, "# What is expected of Complement's tests/csapi; complement/README.md explains.\n\npass TestA\nfail TestB\npass TestC\n", text)

	folder := expected(t, "# mine\n\nfail TestA  # waits for a\nfail TestB  # waits for b\npass TestGone\n")
	text, err = runUpdate(t, folder, true, first)
	require.NoError(t, err)
	require.Equal(t, "# mine\n\npass TestA\nfail TestB  # waits for b\npass TestC\npass TestGone\n", text)
	text, err = runUpdate(t, folder, false, first)
	require.NoError(t, err)
	require.NotContains(t, text, "TestGone")
	out, worse := report(t, folder, false, first)
	require.False(t, worse, out)
}

func TestReasonsNameUnfinishedOperations(t *testing.T) {
	var b strings.Builder
	say := func(action, test, output string) {
		line, err := json.Marshal(event{Action: action, Package: module + "tests/csapi", Test: test, Output: output})
		require.NoError(t, err)
		b.Write(append(line, '\n'))
	}
	for _, test := range []string{"TestA", "TestA/x", "TestA/y", "TestB", "TestC"} {
		say("run", test, "")
	}
	say("output", "TestA", "        Touchstone-Unfinished: setTyping\r\n")
	say("output", "TestA/x", "        Touchstone-Unfinished: postReceipt\r\n")
	say("output", "TestC", "    c_test.go:7: \x1b[31mgot 1, want 2\x1b[39m\n")
	say("output", "TestC", "    c_test.go:8: \x1b[31mgot 2, want 3\x1b[39m\n")
	say("output", "TestB", "        Touchstone-Unfinished: search\r\n")
	for _, test := range []string{"TestA/x", "TestA/y", "TestA", "TestC"} {
		say("fail", test, "")
	}
	say("pass", "TestB", "")
	say("fail", "", "")
	run := file(t, b.String())

	folder := expected(t, "fail TestA  # waits for whoami\nfail TestC  # a reason of ours\n")
	text, err := runUpdate(t, folder, false, run)
	require.NoError(t, err)
	require.Contains(t, text, `
fail TestA  # waits for postReceipt, setTyping
fail TestA/x  # waits for postReceipt
fail TestA/y  # waits for setTyping
pass TestB
fail TestC  # a reason of ours
`)
	out, worse := report(t, folder, false, run)
	require.False(t, worse)
	require.Contains(t, out, "  fail TestA/y  # waits for setTyping\n  fail TestC\n       c_test.go:7: got 1, want 2\n")
}

func TestBadExpectations(t *testing.T) {
	run := log(t, "run TestA", "pass TestA", "pass")
	for text, want := range map[string]string{
		"TestA\n":                   "csapi.txt:1: want pass, fail or skip",
		"pass TestA\nmaybe TestB\n": "csapi.txt:2: want pass, fail or skip",
		"pass TestA\nfail TestA\n":  "csapi.txt:2: TestA stands here twice",
	} {
		_, err := run2(t, expected(t, text), run)
		require.ErrorContains(t, err, want)
	}
	_, err := run2(t, t.TempDir(), filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func run2(t *testing.T, expect, file string) (bool, error) {
	t.Helper()
	return run(new(bytes.Buffer), expect, false, false, []string{file})
}

func TestCommittedExpectationsParse(t *testing.T) {
	files, err := filepath.Glob("../expectations/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		x, err := readExpectations("../expectations", strings.TrimSuffix(filepath.Base(f), ".txt"))
		require.NoError(t, err)
		for name, e := range x.tests {
			if e.status != pass {
				require.NotEmpty(t, e.reason, "%s: %s", f, name)
			}
		}
	}
}
