// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"github.com/stretchr/testify/require"

	"touchstone.example/generated/events"
	"touchstone.example/generated/ops"
	"touchstone.example/generated/schemas"
	"touchstone.example/spec"
)

func TestVersionIsTheDistilledOne(t *testing.T) {
	version, err := os.ReadFile("../VERSION")
	require.NoError(t, err)
	require.Equal(t, spec.Version, strings.TrimSpace(string(version)))
}

// compiler returns a compiler that loads the documents of package schemas.
func compiler() *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.Draft = jsonschema.Draft2020
	c.LoadURL = func(url string) (io.ReadCloser, error) {
		raw, err := schemas.Document(strings.TrimPrefix(url, "spec:///"))
		return io.NopCloser(bytes.NewReader(raw)), err
	}
	return c
}

// TestSchemasCompile compiles every schema that package schemas returns.
func TestSchemasCompile(t *testing.T) {
	c := compiler()
	requests, answers := 0, 0
	for _, op := range ops.All {
		if ref, ok := schemas.Request(op); ok {
			_, err := c.Compile("spec:///" + ref)
			require.NoError(t, err, op.ID)
			requests++
		}
		for _, status := range op.Statuses {
			if ref, ok := schemas.Answer(op, status); ok {
				_, err := c.Compile("spec:///" + ref)
				require.NoError(t, err, op.ID)
				answers++
			}
		}
		_, ok := schemas.Answer(op, 599)
		require.False(t, ok, op.ID)
	}
	require.Greater(t, requests, 90)
	require.Greater(t, answers, 400)
	for typ := range events.Kinds {
		files := schemas.Event(typ)
		require.NotEmpty(t, files, typ)
		for _, file := range files {
			_, err := c.Compile("spec:///" + file)
			require.NoError(t, err, file)
			require.NotNil(t, events.New(strings.TrimSuffix(file, ".json")), file)
		}
	}
	file, ok := schemas.EDU("m.typing")
	require.True(t, ok)
	_, err := c.Compile("spec:///" + file)
	require.NoError(t, err)
}

// TestOperations counts the operations of the specification.
func TestOperations(t *testing.T) {
	count, routes := map[string]int{}, map[string]bool{}
	for _, op := range ops.All {
		count[op.API]++
		if op.API != extra.pkg {
			routes[op.Method+" "+op.Path] = true
		}
	}
	require.NotZero(t, count[extra.pkg])
	delete(count, extra.pkg)
	require.Equal(t, map[string]int{"clientapi": 166, "fedapi": 36, "asapi": 9, "identityapi": 23, "pushapi": 1}, count)
	require.Len(t, routes, 233)
}
