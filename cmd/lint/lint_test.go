// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const licence = "// SPDX-License-Identifier: Apache-2.0\n\n"

// findings checks a tree with one file and returns the findings without the
// file name.
func findings(t *testing.T, name, src string) []string {
	t.Helper()
	found, err := checkTree(fstest.MapFS{name: {Data: []byte(src)}})
	require.NoError(t, err)
	var out []string
	for _, f := range found {
		require.Equal(t, name, f.File)
		out = append(out, strings.TrimPrefix(f.String(), name+":"))
	}
	return out
}

func TestRules(t *testing.T) {
	for _, c := range []struct{ name, file, src, want string }{
		{"the clock is read", "server/rooms/a.go", "import \"time\"\n\nvar now = time.Now()",
			"6: clock: time.Now reads the clock: ask an env.Env"},
		{"the clock is read by difference", "server/rooms/a.go", "import \"time\"\n\nfunc f(t time.Time) any { return time.Since(t) }",
			"6: clock: time.Since reads the clock: ask an env.Env"},
		{"the clock hides behind another name", "server/rooms/a.go", "import clock \"time\"\n\nvar now = clock.Now",
			"6: clock: time.Now reads the clock: ask an env.Env"},
		{"the clock hides behind a dot import", "server/rooms/a.go", "import . \"time\"\n\nvar now = Now()",
			"4: clock: a dot import hides time.Now"},
		{"env may read the clock", "server/env/a.go", "import \"time\"\n\nvar now = time.Now()", ""},
		{"a folder that only begins like env may not", "server/envoy/a.go", "import \"time\"\n\nvar now = time.Now()",
			"6: clock: time.Now reads the clock: ask an env.Env"},
		{"a test may read the clock", "server/rooms/a_test.go", "import \"time\"\n\nvar now = time.Now()", ""},
		{"a method called Now is no clock", "server/rooms/a.go", "import \"time\"\n\ntype e struct{}\n\nfunc (e) Now() (t time.Time) { return t }\n\nvar x = e{}.Now()", ""},
		{"a test sleeps", "server/rooms/a_test.go", "import \"time\"\n\nfunc f() { time.Sleep(1) }",
			"6: sleep: time.Sleep: wait for what you are waiting for"},
		{"chance is drawn", "server/rooms/a.go", "import (\n\t_ \"crypto/rand\"\n\t_ \"math/rand/v2\"\n)",
			"5: chance: crypto/rand: draw from an env.Env\n6: chance: math/rand/v2: draw from an env.Env"},
		{"a reader goes by the stamp of caches", "server/rooms/a.go", "func f(r *R) int64 { return r.feed.Stamp() }",
			"4: stamp: feed.Stamp may be behind what others have acknowledged: reach a position with feed.Reach"},
		{"a cache says why it stamps", "server/rooms/a.go", "func f(r *R) int64 {\n\t//house:allow stamp what is cached is read after it\n\treturn r.feed.Stamp()\n}", ""},
		{"the server connects by itself", "server/push/a.go", "import \"net/http\"\n\nvar get = http.Get",
			"6: outbound: http.Get goes to any address: use outbound.Transport"},
		{"the server makes a way of its own", "server/push/a.go", "import \"net\"\n\nvar d net.Dialer",
			"6: outbound: net.Dialer goes to any address: use outbound.Transport"},
		{"outbound connects", "server/outbound/a.go", "import \"net\"\n\nvar d net.Dialer", ""},
		{"a command connects to whom the operator names", "cmd/touchstone/a.go", "import \"net/http\"\n\nvar get = http.Get", ""},
		{"a test helper draws with a seed", "tests/world/a.go", "import _ \"math/rand\"", ""},
		{"a folder of test helpers draws with a seed", "storage/storagetest/a.go", "import _ \"math/rand\"", ""},
		{"a goroutine without an owner", "server/rooms/a.go", "func f() { go f() }",
			"4: goroutine: a bare go statement: nobody waits for it"},
		{"run owns goroutines", "server/run/a.go", "func f() { go f() }", ""},
		{"a skip without a reason", "server/rooms/a_test.go", "import \"testing\"\n\nfunc TestA(t *testing.T) { t.Skip() }",
			"6: skip: say why the test is skipped"},
		{"a skip with an empty reason", "server/rooms/a_test.go", "import \"testing\"\n\nfunc TestA(t *testing.T) { t.Skipf(\"\") }",
			"6: skip: say why the test is skipped"},
		{"SkipNow", "server/rooms/a_test.go", "import \"testing\"\n\nfunc BenchmarkA(b *testing.B) { b.SkipNow() }",
			"6: skip: say why the test is skipped"},
		{"a skip with a reason", "server/rooms/a_test.go", "import \"testing\"\n\nfunc TestA(t *testing.T) { t.Skip(\"no engine\") }", ""},
		{"a TODO without an issue", "api/a.go", "// TODO: later", "4: todo: names no issue"},
		{"a TODO with an issue", "api/a.go", "// TODO(#12): later", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := findings(t, c.file, licence+"package a\n"+c.src+"\n")
			require.Equal(t, c.want, strings.Join(got, "\n"))
		})
	}
}

func TestAllowances(t *testing.T) {
	const head = licence + "package a\n\nimport \"time\"\n\n"
	for _, c := range []struct{ name, src, want string }{
		{"on the line", "var a = time.Now() //house:allow clock a kernel deadline", ""},
		{"above the line", "//house:allow clock a kernel deadline\nvar a = time.Now()", ""},
		{"for one line only", "var a = time.Now() //house:allow clock a kernel deadline\n\nvar b = time.Now()",
			"9: clock: time.Now reads the clock: ask an env.Env"},
		{"for one rule only", "func f() { time.Sleep(1) } //house:allow clock a kernel deadline",
			"7: sleep: time.Sleep: wait for what you are waiting for\n7: allow: allows clock, which nothing here breaks"},
		{"without a reason", "var a time.Time //house:allow clock",
			"7: allow: write //house:allow RULE REASON, with a rule that -h lists"},
		{"of an unknown rule", "var a time.Time //house:allow clocks it is fine",
			"7: allow: write //house:allow RULE REASON, with a rule that -h lists"},
		{"of nothing", "var a time.Time //house:allow clock a kernel deadline",
			"7: allow: allows clock, which nothing here breaks"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := findings(t, "server/a.go", head+c.src+"\n")
			require.Equal(t, c.want, strings.Join(got, "\n"))
		})
	}
}

func TestLicences(t *testing.T) {
	const missing = "1: spdx: no SPDX-License-Identifier at the top"
	for _, c := range []struct{ name, file, src, want string }{
		{"Go without", "api/a.go", "package a\n", missing},
		{"Go under a build constraint", "api/a.go", "//go:build linux\n\n" + licence + "package a\n", ""},
		{"generated Go", "generated/a.go", "// Code generated by gen. DO NOT EDIT.\n\npackage a\n", ""},
		{"Go that only mentions generation", "api/a.go", "package a\n\n// Code generated by gen. DO NOT EDIT.\n", missing},
		{"a script without", ".ci/run", "#!/bin/sh\ntrue\n", missing},
		{"a script with", ".ci/run", "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n", ""},
		{"SQL without", "storage/schema/a.sql", "SELECT 1;\n", missing},
		{"Makefile without", "Makefile", "all:\n", missing},
		{"prose", "README.md", "# Hello\n", ""},
		{"another project's data", "api/testdata/a.go", "package a\n", ""},
		{"a hidden folder", ".cache/a.go", "package a\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, strings.Join(findings(t, c.file, c.src), "\n"))
		})
	}
}

func TestLengths(t *testing.T) {
	file := func(lines int) string { return licence + "package a\n" + strings.Repeat("\n", lines-3) }
	require.Empty(t, findings(t, "api/a.go", file(400)))
	require.Equal(t, []string{"401: note: 401 lines; aim under 400"}, findings(t, "api/a.go", file(401)))
	require.Equal(t, []string{"801: size: 801 lines; the limit is 800"}, findings(t, "api/a.go", file(801)))
	require.Empty(t, findings(t, "generated/a.go", "// Code generated by gen. DO NOT EDIT.\n"+file(2000)))

	long := licence + "package a\n\nfunc f() {\n" + strings.Repeat("\tprintln()\n", 59) + "}\n"
	require.Equal(t, []string{"5: note: f has 61 lines; aim under 60"}, findings(t, "api/a.go", long))
	require.Empty(t, findings(t, "api/a_test.go", long))
}

func TestGeneratedCodeKeepsToTheClock(t *testing.T) {
	src := "// Code generated by gen. DO NOT EDIT.\n\npackage a\n\nimport \"time\"\n\nvar a = time.Now()\n"
	require.Equal(t, []string{"7: clock: time.Now reads the clock: ask an env.Env"}, findings(t, "generated/a.go", src))
}

func TestUnusedFunctions(t *testing.T) {
	tree := fstest.MapFS{"go.mod": {Data: []byte("module x.example\n")}}
	add := func(file, src string) { tree[file] = &fstest.MapFile{Data: []byte(licence + src)} }
	add("api/a.go", "package api\n\nfunc Called() {}\n\nfunc Within() {}\n\nfunc TestedOnly() { Within() }\n\nfunc Exclusive() {}\n\nfunc (a) Method() {}\n\ntype a struct{}\n")
	add("api/a_test.go", "package api\n\nfunc f() { TestedOnly() }\n")
	add("storage/a.go", "package storage\n\ntype Reader struct{}\n\nfunc (r *Reader) Read() {}\n\nfunc (r *Reader) Forgotten() {}\n\nfunc (r *Reader) PutCursor() {}\n")
	add("server/a.go", "package server\n\nimport (\n\t\"x.example/api\"\n\ts \"x.example/storage\"\n)\n\nfunc f(r *s.Reader) {\n\tapi.Called()\n\tr.Read()\n\tr.PutCursor()\n\tr.TestedOnly()\n}\n")
	found, err := checkTree(tree)
	require.NoError(t, err)
	var got []string
	for _, f := range found {
		got = append(got, f.String())
	}
	require.Equal(t, []string{
		"api/a.go:9: unused: TestedOnly has no caller outside tests: remove it",
		"storage/a.go:9: unused: Forgotten has no caller outside tests: remove it",
		"storage/a.go:11: note: PutCursor has callers: take it off the list in cmd/lint/unused.go",
	}, got)
	for name, reason := range notYetCalled {
		require.NotEmpty(t, reason, name)
	}
}

func TestEveryRuleIsDescribed(t *testing.T) {
	for _, e := range exemptions {
		require.NotEmpty(t, e.reason)
		for _, r := range e.rules {
			require.True(t, known(r), r)
		}
	}
	require.Contains(t, describe(), "server/env")
}

func TestExitStatus(t *testing.T) {
	root := t.TempDir()
	write := func(src string) {
		require.NoError(t, os.WriteFile(filepath.Join(root, "a.go"), []byte(src), 0o644))
	}
	lint := func(quiet bool) (status int, out, errs string) {
		var o, e bytes.Buffer
		status = run(root, quiet, &o, &e)
		return status, o.String(), e.String()
	}
	note := licence + "package a\n" + strings.Repeat("\n", 500)

	write(note)
	status, out, _ := lint(false)
	require.Zero(t, status)
	require.Contains(t, out, "a.go:503: note: ")
	_, out, _ = lint(true)
	require.Empty(t, out)

	write(note + "func f() { go f() }\n")
	status, out, errs := lint(true)
	require.Equal(t, 1, status)
	require.Equal(t, "a.go:504: goroutine: a bare go statement: nobody waits for it\n", out)
	require.Equal(t, "lint: 1 broken rules\n", errs)

	write("package")
	status, _, errs = lint(false)
	require.Equal(t, 2, status)
	require.Contains(t, errs, root)
}
