// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var small = api{"small", "smallapi", "Small", "small-api", "small API"}

// smallFiles generates code from testdata/small.json, after applying edit.
func smallFiles(t *testing.T, edit func(string) string) (map[string][]byte, error) {
	raw, err := os.ReadFile("testdata/small.json")
	require.NoError(t, err)
	if edit != nil {
		changed := edit(string(raw))
		require.NotEqual(t, string(raw), changed, "the edit found nothing")
		raw = []byte(changed)
	}
	p := &pkg{api: small, doc: new(document), release: "v1.19"}
	if err := parse("small.json", raw, p.doc); err != nil {
		return nil, err
	}
	if err := p.passes(); err != nil {
		return nil, err
	}
	w := &writer{module: "example.com/mod", files: map[string][]byte{}}
	require.NoError(t, w.api(p))
	require.NoError(t, w.ops([]*pkg{p}))
	return w.files, nil
}

// TestGolden compares the code generated from a small API that uses every
// feature.
func TestGolden(t *testing.T) {
	files, err := smallFiles(t, nil)
	require.NoError(t, err)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		b.WriteString("-- " + name + " --\n" + string(files[name]))
	}
	const golden = "testdata/small.golden"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "run go test ./spec/gen -update and read the difference")
}

// TestUnsupportedDocumentsAreErrors makes one unsupported change at a time and expects an error that
// names the place.
func TestUnsupportedDocumentsAreErrors(t *testing.T) {
	const colour = `"colour": {"type": "string"`
	for name, c := range map[string]struct{ old, new, says string }{
		"a keyword of a schema":       {colour, `"colour": {"minimum": 1, "type": "string"`, `small.json: at /paths/~1small~1v1~1things~1{thingId}~1{kind}/put/requestBody/content/application~1json/schema/properties/colour/minimum: unknown object member name`},
		"a keyword of an operation":   {`"x-file": "taking"`, `"x-file": "taking", "x-new": 1`, `/post/x-operations/1/x-new: unknown object member name`},
		"a keyword of a component":    {`"base": {`, `"base": {"if": {}, `, `at /components/schemas/base/if: unknown object member name`},
		"a keyword of a response":     {`"404": {`, `"404": {"links": {}, `, `/get/responses/404/links: unknown object member name`},
		"a type":                      {colour, `"colour": {"type": "text"`, `put /small/v1/things/{thingId}/{kind} request application/json/properties/colour: unknown type "text"`},
		"a format":                    {`"format": "mx-room-id"`, `"format": "mx-planet"`, `get /small/v1/things/{thingId}/{kind} thingId: unknown format "mx-planet"`},
		"a place of a parameter":      {`"name": "X-Colour", "in": "header"`, `"name": "X-Colour", "in": "cookie"`, `unknown place of a parameter "cookie"`},
		"a content type":              {`"multipart/mixed"`, `"multipart/form-data"`, `post /small/v1/media 200: unknown content type "multipart/form-data"`},
		"a method":                    {`"put": {`, `"patch": {`, `unknown method "patch"`},
		"a security scheme":           {`{"signedRequest": []}`, `{"oauth": []}`, `putThing: security scheme "oauth"`},
		"a dangling reference":        {`"$ref": "#/components/schemas/signed"`, `"$ref": "#/components/schemas/sealed"`, `dangling reference #/components/schemas/sealed`},
		"a parameter not in the path": {`"name": "kind", "in": "path"`, `"name": "sort", "in": "path"`, `getThingById: parameter sort is not in the path`},
		"members without a format":    {`"x-pattern-format": "mx-room-id", "properties"`, `"properties"`, `members named by "^!", without a format`},
		"a name taken twice":          {`"makeThing", "x-file": "things"`, `"take_thing", "x-file": "things"`, `the name TakeThingRequest is taken twice`},
		"two members of one name":     {`"mapped":`, `"Anything": {}, "mapped":`, `two members are called Anything`},
		"an enum of numbers":          {`"enum": ["b", "f"]`, `"enum": ["b", 1]`, `enum value 1 is no string`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := smallFiles(t, func(s string) string { return strings.Replace(s, c.old, c.new, 1) })
			require.ErrorContains(t, err, c.says)
		})
	}
}

// TestGeneratedIsCurrent generates twice and compares the result with the
// committed files.
func TestGeneratedIsCurrent(t *testing.T) {
	module, err := modulePath("../../go.mod")
	require.NoError(t, err)
	files, err := generate("..", module)
	require.NoError(t, err)
	again, err := generate("..", module)
	require.NoError(t, err)
	require.Equal(t, files, again)

	committed := map[string]bool{}
	for _, pattern := range []string{"*.gen.go", "*.json"} {
		names, err := filepath.Glob(filepath.Join("..", "..", "generated", "*", pattern))
		require.NoError(t, err)
		for _, name := range names {
			rel, err := filepath.Rel(filepath.Join("..", "..", "generated"), name)
			require.NoError(t, err)
			committed[filepath.ToSlash(rel)] = true
			have, err := os.ReadFile(name)
			require.NoError(t, err)
			require.Equal(t, string(files[filepath.ToSlash(rel)]), string(have), "%s is out of date: run make generate", rel)
		}
	}
	require.Len(t, committed, len(files))
}

func TestWriteRemovesStaleFiles(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, write(dir, map[string][]byte{"a/old.gen.go": nil, "a/kept.gen.go": []byte("package a\n")}))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a", "own.go"), nil, 0o644))
	require.NoError(t, write(dir, map[string][]byte{"a/kept.gen.go": []byte("package b\n")}))
	entries, err := os.ReadDir(filepath.Join(dir, "a"))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.Equal(t, []string{"kept.gen.go", "own.go"}, names)
}

func TestGoName(t *testing.T) {
	for in, want := range map[string]string{
		"getRoomIdByAlias":        "GetRoomIDByAlias",
		"logout_all":              "LogoutAll",
		"requestTokenTo3PIDEmail": "RequestTokenTo3PIDEmail",
		"getAccount3PIDs":         "GetAccount3PIDs",
		"m.relates_to":            "RelatesTo",
		"3pid_changes":            "ThreepidChanges",
		"invite_3pid":             "Invite3PID",
		"Content-Type":            "ContentType",
		"origin_server_ts":        "OriginServerTS",
		"authed-content-repo":     "AuthedContentRepo",
	} {
		require.Equal(t, want, goName(in), in)
	}
	for in, want := range map[string]string{"Policies": "Policy", "Rooms": "Room", "Status": "Status", "Access": "Access", "": "Item"} {
		require.Equal(t, want, singular(in), in)
	}
}
