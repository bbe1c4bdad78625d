// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"touchstone.example/api"
	"touchstone.example/spec"
	checkout "touchstone.example/tests/upstream"
)

// The tests in this file compile the specification's own files, not what was
// distilled from them, and compare the verdicts of both over the examples and
// over thousands of examples that were broken in one place. What the overlays
// change on purpose is listed.

// departures are the bodies on which our documents judge otherwise, each with
// the overlay that says why.
var departures = map[string]string{
	"server-server makeJoin 200":                     "event-origin",
	"server-server makeKnock 200":                    "event-origin",
	"server-server makeLeave 200":                    "event-origin",
	"server-server sendJoinV2 request":               "event-origin",
	"server-server sendKnock request":                "event-origin",
	"server-server sendLeaveV2 request":              "event-origin",
	"server-server sendInviteV1 request":             "event-origin",
	"server-server sendInviteV1 200":                 "event-origin",
	"server-server sendInviteV2 request":             "event-origin",
	"server-server sendInviteV2 200":                 "event-origin",
	"client-server sync 200":                         "sync-shapes",
	"client-server getRoomStateWithKey 200":          "state-with-key",
	"client-server uploadCrossSigningKeys request":   "signatures",
	"client-server uploadCrossSigningKeys 400":       "error-shapes",
	"client-server uploadCrossSigningKeys 403":       "error-shapes",
	"client-server uploadCrossSigningSignatures 200": "error-shapes",
	"client-server uploadKeys request":               "signatures",
	"client-server postRoomKeysVersion request":      "backup-auth-data",
	"client-server putRoomKeysVersion request":       "backup-auth-data",
	"client-server getRoomKeysVersion 200":           "backup-auth-data",
	"client-server getRoomKeysVersionCurrent 200":    "backup-auth-data",
	"client-server postReceipt request":              "receipt-thread",
	"client-server queryKeys request":                "query-null-lists",
	"client-server claimKeys 200":                    "signatures",
	"client-server queryKeys 200":                    "signatures",
	"server-server queryUserEncryptionKeys 200":      "signatures",
	"server-server getUserDevices 200":               "signatures",
}

// faulty are examples that upstream's own schemas refuse.
var faulty = map[string]string{
	"client-server getProtocols 200":        "an example protocol lacks its icon",
	"client-server getRoomStateWithKey 200": "a state event matches both alternatives of a oneOf",
}

type upstream struct {
	root  string
	c     *jsonschema.Compiler
	files map[string]any
}

func openUpstream(t *testing.T) *upstream {
	t.Helper()
	root, err := filepath.Abs(filepath.Join(checkout.Root(t, "compare verdicts with its own schemas"), "data"))
	require.NoError(t, err)
	u := &upstream{root: root, c: jsonschema.NewCompiler(), files: map[string]any{}}
	u.c.Draft = jsonschema.Draft2020
	u.c.AssertFormat = true
	u.c.Formats = formats()
	u.c.RegisterExtension(extensionName, nil, extension{})
	u.c.LoadURL = func(s string) (io.ReadCloser, error) {
		at, err := url.Parse(s)
		if err != nil {
			return nil, err
		}
		raw, err := json.Marshal(u.load(t, at.Path))
		return io.NopCloser(bytes.NewReader(raw)), err
	}
	return u
}

// load reads a YAML or JSON file.
func (u *upstream) load(t *testing.T, file string) any {
	t.Helper()
	if v, ok := u.files[file]; ok {
		return v
	}
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var v any
	require.NoError(t, yaml.Unmarshal(raw, &v), file)
	u.files[file] = named(v)
	return u.files[file]
}

// named makes the keys of all mappings strings. Upstream forgot the quotes
// around a version somewhere.
func named(v any) any {
	switch v := v.(type) {
	case map[any]any:
		out := map[string]any{}
		for k, e := range v {
			out[fmt.Sprint(k)] = named(e)
		}
		return out
	case map[string]any:
		for k, e := range v {
			v[k] = named(e)
		}
	case []any:
		for i, e := range v {
			v[i] = named(e)
		}
	}
	return v
}

// example resolves the references that upstream writes inside examples.
func (u *upstream) example(t *testing.T, file string, v any) any {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		if ref, ok := v["$ref"].(string); ok {
			at, target := u.resolve(t, file, ref)
			if len(v) == 1 {
				return u.example(t, at, target)
			}
			base, ok := u.example(t, at, target).(map[string]any)
			require.True(t, ok, "%s: %s", file, ref)
			maps.Copy(out, base)
		}
		for k, e := range v {
			if k != "$ref" {
				out[k] = u.example(t, file, e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = u.example(t, file, e)
		}
		return out
	}
	return v
}

func (u *upstream) resolve(t *testing.T, file, ref string) (string, any) {
	t.Helper()
	rel, frag, _ := strings.Cut(ref, "#")
	if rel != "" {
		file = filepath.Join(filepath.Dir(file), rel)
	}
	v := u.load(t, file)
	for _, k := range strings.FieldsFunc(frag, func(r rune) bool { return r == '/' }) {
		v = v.(map[string]any)[k]
	}
	require.NotNil(t, v, "%s: %s", file, ref)
	return file, v
}

// A sample is one JSON body of an operation: where its schema stands upstream
// and its examples.
type sample struct {
	api, operation, body string
	schema               string
	examples             []any
}

func (s *sample) name() string { return s.api + " " + s.operation + " " + s.body }

// samples lists the JSON bodies of all operations.
func (u *upstream) samples(t *testing.T) []*sample {
	t.Helper()
	var out []*sample
	for _, f := range []string{"client-server", "server-server", "application-service", "identity", "push-gateway"} {
		files, err := filepath.Glob(filepath.Join(u.root, "api", f, "*.yaml"))
		require.NoError(t, err)
		for _, file := range files {
			doc := u.load(t, file).(map[string]any)
			for p, item := range doc["paths"].(map[string]any) {
				for method, v := range item.(map[string]any) {
					op := v.(map[string]any)
					at := "file://" + file + "#" + strings.ReplaceAll(pointer("paths", p, method), " ", "%20")
					add := func(body, at string, v any) {
						if s := u.sample(t, file, at, v); s != nil {
							s.api, s.operation, s.body = f, op["operationId"].(string), body
							out = append(out, s)
						}
					}
					add("request", at+pointer("requestBody"), op["requestBody"])
					for status, r := range op["responses"].(map[string]any) {
						add(status, at+pointer("responses", status), r)
					}
				}
			}
		}
	}
	return out
}

func (u *upstream) sample(t *testing.T, file, at string, v any) *sample {
	t.Helper()
	body, _ := v.(map[string]any)
	if ref, ok := body["$ref"].(string); ok {
		next, target := u.resolve(t, file, ref)
		_, frag, _ := strings.Cut(ref, "#")
		return u.sample(t, next, "file://"+next+"#"+frag, target)
	}
	content, _ := body["content"].(map[string]any)
	media, _ := content["application/json"].(map[string]any)
	schema, ok := media["schema"].(map[string]any)
	if !ok {
		return nil
	}
	s := &sample{schema: at + pointer("content", "application/json", "schema")}
	for _, v := range []any{media["example"], schema["example"]} {
		if v != nil {
			s.examples = append(s.examples, u.example(t, file, v))
		}
	}
	examples, _ := media["examples"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(examples)) {
		e := u.example(t, file, examples[name]).(map[string]any)
		s.examples = append(s.examples, e["value"])
	}
	s.examples = append(s.examples, u.compose(t, file, schema, nil))
	return s
}

// ours is the schema of the same body in our documents.
func (s *sample) ours(t *testing.T, lib *library) *schema {
	t.Helper()
	for name, f := range files {
		if f.file != s.api {
			continue
		}
		_, op, err := lib.operation(&api.Operation{API: name, ID: s.operation})
		require.NoError(t, err)
		if s.body == "request" {
			return op.request
		}
		return op.responses[s.body]
	}
	return nil
}

// number makes every number a json.Number, as in a body.
func number(t *testing.T, v any) any {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	out, err := decode(raw)
	require.NoError(t, err)
	return out
}

// broken calls each with the value broken in one place at a time: a member
// left out, or a value of another type.
func broken(v any, put func(any), each func()) {
	for _, wrong := range []any{nil, true, json.Number("7"), "?", map[string]any{}, []any{}} {
		if fmt.Sprintf("%T", wrong) == fmt.Sprintf("%T", v) {
			continue
		}
		put(wrong)
		each()
	}
	put(v)
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			e := v[k]
			delete(v, k)
			each()
			v[k] = e
			broken(e, func(n any) { v[k] = n }, each)
		}
	case []any:
		for i, e := range v {
			broken(e, func(n any) { v[i] = n }, each)
		}
	}
}

func newLibrary() *library {
	return &library{from: spec.Files, docs: map[string]*document{}, events: map[string]*schema{}}
}

func TestVerdictsAgreeWithUpstreamsOwnFiles(t *testing.T) {
	u, lib := openUpstream(t), newLibrary()
	examples, verdicts, refused := 0, 0, 0
	differ, bad := map[string]bool{}, map[string]bool{}
	for _, s := range u.samples(t) {
		theirs, err := u.c.Compile(s.schema)
		require.NoError(t, err, s.name())
		mine := s.ours(t, lib)
		require.NotNil(t, mine, s.name())
		compiled, err := mine.compiled()
		require.NoError(t, err, s.name())
		for _, e := range s.examples {
			e = number(t, e)
			examples++
			if theirs.Validate(e) != nil {
				bad[s.name()] = true
			}
			compare := func() {
				verdicts++
				a, b := theirs.Validate(e) == nil, compiled.Validate(e) == nil
				if !a {
					refused++
				}
				if a != b {
					differ[s.name()] = true
				}
			}
			compare()
			broken(e, func(n any) { e = n }, compare)
		}
	}
	t.Logf("%d examples, %d verdicts, %d of them against the body", examples, verdicts, refused)
	require.Greater(t, examples, 300)
	require.Greater(t, refused, 3000, "broken bodies must be among them")
	require.Equal(t, slices.Sorted(maps.Keys(faulty)), slices.Sorted(maps.Keys(bad)))
	require.Equal(t, slices.Sorted(maps.Keys(departures)), slices.Sorted(maps.Keys(differ)))
}

func TestEventVerdictsAgreeWithUpstreamsOwnFiles(t *testing.T) {
	u, lib := openUpstream(t), newLibrary()
	examples, err := filepath.Glob(filepath.Join(u.root, "event-schemas", "examples", "*.yaml"))
	require.NoError(t, err)
	verdicts, refused := 0, 0
	for _, file := range examples {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		schemaFile := filepath.Join(u.root, "event-schemas", "schema", name+".yaml")
		if _, err := os.Stat(schemaFile); err != nil {
			name, _, _ = strings.Cut(name, "$")
			schemaFile = filepath.Join(u.root, "event-schemas", "schema", name+".yaml")
		}
		theirs, err := u.c.Compile("file://" + strings.ReplaceAll(schemaFile, "$", "%24"))
		require.NoError(t, err)
		mine, err := lib.event("events/" + name)
		require.NoError(t, err)
		require.NotNil(t, mine, name)
		compiled, err := mine.compiled()
		require.NoError(t, err)
		e := number(t, u.example(t, file, u.load(t, file)))
		require.NoError(t, compiled.Validate(e), name)
		broken(e, func(n any) { e = n }, func() {
			verdicts++
			a, b := theirs.Validate(e) == nil, compiled.Validate(e) == nil
			require.Equal(t, a, b, "%s: %v", name, e)
			if !a {
				refused++
			}
		})
	}
	t.Logf("%d examples, %d verdicts, %d of them against the event", len(examples), verdicts, refused)
	require.Greater(t, len(examples), 70)
	require.Greater(t, refused, 3000, "broken events must be among them")
}
