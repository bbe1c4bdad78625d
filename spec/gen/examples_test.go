// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	runtime "touchstone.example/api"
	"touchstone.example/generated/asapi"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/events"
	"touchstone.example/generated/fedapi"
	"touchstone.example/generated/identityapi"
	"touchstone.example/generated/pushapi"
	"touchstone.example/tests/upstream"
)

// knownBadExamples are the examples of the specification that do not match its own
// schemas, with the error or difference that the generated types produce.
var knownBadExamples = map[string]string{
	"client-server sync 200 response":              `the answer to sync: M_BAD_JSON: Missing "device_unused_fallback_key_types"`,
	"client-server getProtocols 200 composed":      `the answer to getProtocols: M_BAD_JSON: Missing "icon" at "/gitter"`,
	"server-server getSpaceHierarchy 200 response": "not the same", // children with children_state
}

// A checkout reads the sources of the specification.
type checkout struct {
	t     *testing.T
	root  string
	files map[string]any
}

func (c *checkout) load(file string) any {
	v, ok := c.files[file]
	if !ok {
		raw, err := os.ReadFile(filepath.Join(c.root, file))
		require.NoError(c.t, err)
		require.NoError(c.t, yaml.Unmarshal(raw, &v), file)
		c.files[file] = v
	}
	return v
}

// follow resolves all references in a value, including those in examples.
// Members beside a reference override those of its target.
func (c *checkout) follow(file string, v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = c.follow(file, e)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		if ref, ok := v["$ref"].(string); ok {
			to, target := c.target(file, ref)
			base, isObject := c.follow(to, target).(map[string]any)
			if !isObject {
				return c.follow(to, target)
			}
			out = base
		}
		for key, e := range v {
			if key != "$ref" {
				out[key] = c.follow(file, e)
			}
		}
		return out
	}
	return v
}

func (c *checkout) target(file, ref string) (string, any) {
	rel, frag, _ := strings.Cut(ref, "#")
	if rel != "" {
		file = path.Join(path.Dir(file), rel)
	}
	v := c.load(file)
	for _, key := range strings.FieldsFunc(frag, func(r rune) bool { return r == '/' }) {
		v = v.(map[string]any)[strings.NewReplacer("~1", "/", "~0", "~").Replace(key)]
	}
	return file, v
}

// An example is a request body or response in the specification.
type example struct {
	name   string // API, operation, and position in it
	id     string
	status int // 0 for a request
	value  []byte
}

func (c *checkout) examples(api string) (out []example) {
	names, err := filepath.Glob(filepath.Join(c.root, "api", api, "*.yaml"))
	require.NoError(c.t, err)
	for _, name := range names {
		file := path.Join("api", api, filepath.Base(name))
		doc := c.load(file).(map[string]any)
		paths, _ := doc["paths"].(map[string]any)
		for _, item := range paths {
			for _, op := range item.(map[string]any) {
				out = append(out, c.ofOperation(file, api, op.(map[string]any))...)
			}
		}
	}
	return out
}

func (c *checkout) ofOperation(file, api string, op map[string]any) (out []example) {
	id := op["operationId"].(string)
	add := func(at string, status int, v any) {
		media, ok := c.json(file, v)
		if !ok {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(media)) {
			text, err := json.Marshal(media[name])
			require.NoError(c.t, err)
			out = append(out, example{api + " " + id + " " + at + name, id, status, text})
		}
	}
	add("request", 0, op["requestBody"])
	responses, _ := op["responses"].(map[string]any)
	for code, r := range responses {
		var status int
		if _, err := fmt.Sscanf(strings.ReplaceAll(code, "XX", "00"), "%d", &status); err == nil {
			add(code, status, r)
		}
	}
	return out
}

// json returns the examples of a request body or response.
func (c *checkout) json(file string, v any) (map[string]any, bool) {
	body, _ := v.(map[string]any)
	for body["$ref"] != nil {
		var target any
		file, target = c.target(file, body["$ref"].(string))
		body = target.(map[string]any)
	}
	content, _ := body["content"].(map[string]any)
	media, _ := content["application/json"].(map[string]any)
	out := map[string]any{}
	if e, ok := media["example"]; ok {
		out[""] = c.follow(file, e)
	}
	examples, _ := media["examples"].(map[string]any)
	for name, e := range examples {
		e := c.follow(file, e).(map[string]any)
		out[" "+name] = e["value"]
	}
	if e, ok := c.compose(file, media["schema"]); ok && len(out) == 0 {
		out[" composed"] = e
	}
	return out, len(out) > 0
}

// compose builds the example of a schema from the examples of its members. ok
// is false if a required member has no example.
func (c *checkout) compose(file string, v any) (any, bool) {
	s, _ := v.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		to, target := c.target(file, ref)
		return c.compose(to, target)
	}
	if e, ok := s["example"]; ok {
		return c.follow(file, e), true
	}
	if items, ok := s["items"]; ok {
		e, ok := c.compose(file, items)
		return []any{e}, ok
	}
	out := map[string]any{}
	parts, _ := s["allOf"].([]any)
	for _, part := range parts {
		e, ok := c.compose(file, part)
		members, isObject := e.(map[string]any)
		if !ok || !isObject {
			return nil, false
		}
		maps.Copy(out, members)
	}
	members, _ := s["properties"].(map[string]any)
	for name, member := range members {
		if e, ok := c.compose(file, member); ok {
			out[name] = e
		}
	}
	required, _ := s["required"].([]any)
	for _, name := range required {
		if out[name.(string)] == nil {
			return nil, false
		}
	}
	return out, len(out) > 0
}

// An echo is a Doer that records the request body and returns a preset
// response.
type echo struct {
	status int
	answer []byte
	sent   []byte
}

func (e *echo) Do(_ context.Context, _, _ string, _ url.Values, _ http.Header, body []byte) (int, http.Header, []byte, error) {
	e.sent = body
	return e.status, http.Header{}, e.answer, nil
}

var clients = map[string]func(runtime.Doer) any{
	"client-server":       func(d runtime.Doer) any { return &clientapi.Client{Doer: d} },
	"server-server":       func(d runtime.Doer) any { return &fedapi.Client{Doer: d} },
	"application-service": func(d runtime.Doer) any { return &asapi.Client{Doer: d} },
	"identity":            func(d runtime.Doer) any { return &identityapi.Client{Doer: d} },
	"push-gateway":        func(d runtime.Doer) any { return &pushapi.Client{Doer: d} },
}

// method returns the client's method for an operation ID.
func method(client any, id string) (m reflect.Value) {
	if _, ok := client.(*asapi.Client); ok && id == "queryUserByID" {
		id = "queryThirdpartyUserByID" // renamed by an overlay
	}
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	v := reflect.ValueOf(client)
	for i := range v.NumMethod() {
		if plain(v.Type().Method(i).Name) == plain(id) {
			return v.Method(i)
		}
	}
	return m
}

// TestExamples decodes every example of the specification through the generated
// types and encodes it again.
func TestExamples(t *testing.T) {
	c := &checkout{t, filepath.Join(upstream.Root(t, "run its examples"), "data"), map[string]any{}}
	requests, answers, errs := 0, 0, 0
	for api, client := range clients {
		for _, e := range c.examples(api) {
			d := &echo{status: e.status, answer: e.value}
			m := method(client(d), e.id)
			require.True(t, m.IsValid(), e.name)
			var got []byte
			var err error
			switch {
			case e.status == 0:
				requests++
				got, err = sendExample(m, d, e.value)
			case e.status < 400:
				answers++
				got, err = readExample(m)
			default:
				errs++
				got, err = readErrorExample(m)
			}
			compare(t, e.name, e.value, got, err)
		}
	}
	t.Logf("%d requests, %d answers, %d errors", requests, answers, errs)
	require.Greater(t, requests, 80)
	require.Greater(t, answers, 150)
}

func compare(t *testing.T, name string, want, got []byte, err error) {
	t.Helper()
	said := ""
	switch {
	case err != nil:
		said = err.Error()
	case !sameJSON(want, got):
		said = "not the same"
	}
	if said != knownBadExamples[name] {
		t.Errorf("%s: %q, expected %q\n%s\n%s", name, said, knownBadExamples[name], want, got)
	}
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// sendExample decodes a request body and sends it with the client.
func sendExample(m reflect.Value, d *echo, body []byte) ([]byte, error) {
	req := reflect.New(m.Type().In(1).Elem())
	field := req.Elem().FieldByName("Body")
	if !field.IsValid() {
		return nil, fmt.Errorf("the operation has no body")
	}
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	if err := jsonv2.Unmarshal(body, field.Addr().Interface()); err != nil {
		return nil, err
	}
	d.status, d.answer = http.StatusTeapot, []byte("{}") // only the request matters
	m.Call([]reflect.Value{reflect.ValueOf(context.Background()), req})
	return d.sent, nil
}

func call(m reflect.Value) (any, error) {
	out := m.Call([]reflect.Value{reflect.ValueOf(context.Background()), reflect.New(m.Type().In(1).Elem())})
	err, _ := out[1].Interface().(error)
	return out[0].Interface(), err
}

func readExample(m reflect.Value) ([]byte, error) {
	v, err := call(m)
	if err != nil {
		return nil, err
	}
	if a, ok := v.(runtime.Appender); ok {
		return a.AppendJSON(nil), nil
	}
	return []byte("{}"), nil // a response without content
}

func readErrorExample(m reflect.Value) ([]byte, error) {
	_, err := call(m)
	e, ok := err.(*runtime.Error)
	if !ok {
		return nil, fmt.Errorf("not an error object: %v", err)
	}
	all := map[string]any{}
	maps.Copy(all, e.Extra)
	for name, text := range map[string]string{"errcode": e.ErrCode, "error": e.Msg} {
		if text != "" {
			all[name] = text
		}
	}
	return json.Marshal(all)
}

// TestEventExamples decodes the contents of the specification's example events.
func TestEventExamples(t *testing.T) {
	c := &checkout{t, filepath.Join(upstream.Root(t, "run its examples"), "data"), map[string]any{}}
	entries, err := os.ReadDir(filepath.Join(c.root, "event-schemas", "examples"))
	require.NoError(t, err)
	n := 0
	for _, entry := range entries {
		stem, ok := strings.CutSuffix(entry.Name(), ".yaml")
		if !ok {
			continue
		}
		file := path.Join("event-schemas", "examples", entry.Name())
		event, _ := c.follow(file, c.load(file)).(map[string]any)
		content := events.New("events/" + stem)
		if content == nil {
			base, _, _ := strings.Cut(stem, "$")
			content = events.New("events/" + base)
		}
		require.NotNil(t, content, stem)
		want, err := json.Marshal(event["content"])
		require.NoError(t, err)
		err = jsonv2.Unmarshal(want, content)
		compare(t, "event "+stem, want, content.AppendJSON(nil), err)
		n++
	}
	require.Greater(t, n, 75)
}
