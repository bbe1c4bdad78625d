// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v5"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"touchstone.example/tests/upstream"
)

// spec is the committed folder, relative to this package.
const spec = ".."

func parse(t *testing.T, raw []byte) object {
	t.Helper()
	var v object
	require.NoError(t, json.Unmarshal(raw, &v))
	return v
}

func read(t *testing.T, name string) object {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(spec, Version, name))
	require.NoError(t, err)
	return parse(t, raw)
}

// TestCommittedSpecIsUpToDate distils again if there is a checkout of the
// specification: at UPSTREAM, or in shared/matrix-spec beside this repository.
func TestCommittedSpecIsUpToDate(t *testing.T) {
	from := upstream.Root(t, "compare the distillation with spec/")
	out, err := Distill(from, filepath.Join(spec, "overlay"))
	require.NoError(t, err)
	seen := 0
	for name, want := range out {
		have, err := os.ReadFile(filepath.Join(spec, filepath.FromSlash(name)))
		require.NoError(t, err, "run the distiller")
		require.Equal(t, string(want), string(have), "%s is out of date: run the distiller", name)
		if strings.HasPrefix(name, Version+"/") {
			seen++
		}
	}
	files := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(spec, Version), func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files++
		}
		return err
	}))
	require.Equal(t, seen, files, "a file in %s is not distilled", Version)
}

func TestCounts(t *testing.T) {
	want := map[string]int{"client-server": 166, "server-server": 36, "application-service": 9, "identity": 23, "push-gateway": 1}
	total, routes := 0, 0
	for api, n := range want {
		ids := map[string]bool{}
		for _, item := range read(t, api+".json")["paths"].(object) {
			for _, op := range item.(object) {
				routes++
				variants, merged := op.(object)["x-operations"].([]any)
				if !merged {
					variants = []any{op}
				}
				for _, v := range variants {
					ids[strings.ToLower(v.(object)["operationId"].(string))] = true
					require.NotEmpty(t, v.(object)["x-file"])
					require.NotNil(t, v.(object)["security"], "security is always said")
				}
			}
		}
		require.Len(t, ids, n, "%s: operation ids, letter case aside", api)
		total += len(ids)
	}
	require.Equal(t, 235, total)
	require.Equal(t, 233, routes)
	for folder, n := range map[string]int{"events": 79, "edus": 6, "pdus": 6} {
		files, err := os.ReadDir(filepath.Join(spec, Version, folder))
		require.NoError(t, err)
		require.Len(t, files, n, folder)
	}
}

// TestLint validates the documents with an independent OpenAPI library.
func TestLint(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(spec, "extra", "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, api := range apis {
		files = append(files, filepath.Join(spec, Version, api+".json"))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			doc, err := openapi3.NewLoader().LoadFromFile(file)
			require.NoError(t, err)
			require.NoError(t, doc.Validate(context.Background()))
		})
	}
}

// TestLintFindsFaults checks that the validator of TestLint detects errors.
func TestLintFindsFaults(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(spec, Version, "server-server.json"))
	require.NoError(t, err)
	text := strings.Replace(string(raw), `"signedRequest": []`, `"nobody": []`, 1)
	require.NotEqual(t, string(raw), text)
	doc, err := openapi3.NewLoader().LoadFromData([]byte(text))
	require.NoError(t, err)
	require.Error(t, doc.Validate(context.Background()))
}

func TestExtrasSayWhy(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(spec, "extra", "*.yaml"))
	require.NoError(t, err)
	ids := map[string]string{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var doc struct {
			Reason string `yaml:"x-reason"`
			Source string `yaml:"x-source"`
			Paths  map[string]map[string]struct {
				ID       string           `yaml:"operationId"`
				File     string           `yaml:"x-file"`
				Security []map[string]any `yaml:"security"`
			} `yaml:"paths"`
		}
		require.NoError(t, yaml.Unmarshal(raw, &doc))
		require.NotEmpty(t, doc.Reason, file)
		require.NotEmpty(t, doc.Source, file)
		for _, item := range doc.Paths {
			for _, op := range item {
				require.Empty(t, ids[op.ID], "%s is in two files", op.ID)
				ids[op.ID] = file
				require.Equal(t, stem(file), op.File)
				require.NotNil(t, op.Security, "%s says its security", op.ID)
			}
		}
	}
}

// TestSchemasCompile compiles all schemas of documents and events.
func TestSchemasCompile(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(spec, Version, "*", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 79+6+6)
	c := jsonschema.NewCompiler()
	c.Draft = jsonschema.Draft2020
	for _, file := range files {
		_, err := c.Compile(filepath.ToSlash(file))
		require.NoError(t, err)
	}
	for _, api := range apis {
		file := filepath.ToSlash(filepath.Join(spec, Version, api+".json"))
		n := 0
		schemas(read(t, api+".json"), "", func(ptr string) {
			n++
			_, err := c.Compile(file + "#" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(ptr))
			require.NoError(t, err)
		})
		require.NotZero(t, n)
	}
}

// schemas calls each with a JSON pointer to every schema that is directly below
// the keyword schema or in the components.
func schemas(v any, ptr string, each func(string)) {
	switch v := v.(type) {
	case object:
		for k, e := range v {
			at := position{ptr: ptr}.member(k).ptr
			if k == "schema" || ptr == "/components/schemas" {
				each(at)
				continue
			}
			schemas(e, at, each)
		}
	case []any:
		for i, e := range v {
			schemas(e, position{ptr: ptr}.member(string(rune('0'+i))).ptr, each)
		}
	}
}

// TestNoProse searches for descriptions. Their keywords are also names of
// members, so it checks the parent as well.
func TestNoProse(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(spec, Version, "*.json"))
	require.NoError(t, err)
	more, err := filepath.Glob(filepath.Join(spec, Version, "*", "*.json"))
	require.NoError(t, err)
	for _, file := range append(files, more...) {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		doc := parse(t, raw)
		delete(doc, "info")
		prose(t, file, doc, "")
	}
}

var proseKeywords = map[string]bool{
	"description": true, "summary": true, "title": true, "example": true, "examples": true,
	"$comment": true, "tags": true, "externalDocs": true, "x-changedInMatrixVersion": true,
}

func prose(t *testing.T, at string, v any, above string) {
	switch v := v.(type) {
	case object:
		names := above == "properties" || above == "patternProperties" || above == "$defs" || above == "schemas"
		for k, e := range v {
			if proseKeywords[k] && !names {
				require.Equal(t, "", e, "%s/%s", at, k)
			}
			next := k
			if names {
				next = ""
			}
			prose(t, at+"/"+k, e, next)
		}
	case []any:
		for _, e := range v {
			prose(t, at, e, "")
		}
	}
}
