// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkout writes a small checkout of the specification and returns its folder.
// change replaces files.
func checkout(t *testing.T, change map[string]string) string {
	t.Helper()
	files := map[string]string{}
	for _, api := range apis {
		files["api/"+api+"/thing.yaml"] = thing
	}
	files["api/client-server/definitions/error.yaml"] = "type: object\nproperties: {errcode: {type: string}}\nrequired: [errcode]\n"
	files["api/client-server/definitions/security.yaml"] = "bearer: {type: http, scheme: bearer, description: prose}\n"
	files["api/server-server/definitions/event-schemas/m.typing.yaml"] = "type: object\n"
	files["api/server-server/definitions/pdu_v1.yaml"] = "type: object\n"
	files["event-schemas/schema/m.tag.yaml"] = "type: object\nallOf: [{$ref: core/event.yaml}]\n"
	files["event-schemas/schema/core/event.yaml"] = "type: object\ntitle: Event\nproperties: {type: {type: string}}\n"
	maps.Copy(files, change)
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, "data", filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	return dir
}

const thing = `
openapi: 3.1.0
info: {title: Thing, version: 1.0.0}
paths:
  "/things/{roomId}":
    get:
      summary: prose
      operationId: getThing
      security: [{bearerQuery: []}, {bearer: []}]
      parameters:
        - {in: path, name: roomId, required: true, example: prose, schema: {type: string}}
      responses:
        "200":
          description: prose
          headers: {X-Thing: {schema: {type: string}, required: true}}
          content:
            application/json: {schema: {type: object}, example: {}}
        "429":
          description: Too many. M_LIMIT_EXCEEDED or M_THING.
          content:
            application/json: {schema: {$ref: ../client-server/definitions/error.yaml}}
    put:
      operationId: putThing
      x-addedInMatrixVersion: "1.10"
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, required: [b, a], properties: {a: {type: integer}, b: {type: integer}}}}}
      parameters:
        - {in: path, name: roomId, required: true, schema: {type: string, format: mx-room-id}}
      responses: {"200": {description: prose}}
servers:
  - url: "{protocol}://{hostname}{basePath}"
    variables: {basePath: {default: /_matrix}}
components:
  securitySchemes:
    bearer: {$ref: ../client-server/definitions/security.yaml#/bearer}
    bearerQuery: {type: apiKey, in: query, name: access_token}
`

// overlays writes overlay files and returns their folder.
func overlays(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i, text := range files {
		text = "what: a test\nwhy: to see\nsource: none\n" + text
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), []byte(text), 0o644))
	}
	return dir
}

func TestDistilledOperation(t *testing.T) {
	out, err := Distill(checkout(t, nil), overlays(t))
	require.NoError(t, err)
	require.JSONEq(t, `{
		"openapi": "3.1.0",
		"info": {"title": "Matrix identity", "version": "v1.19"},
		"paths": {"/_matrix/things/{roomId}": {
			"get": {
				"operationId": "getThing", "x-file": "thing", "x-rate-limited": true, "security": [{"bearer": []}],
				"parameters": [{"in": "path", "name": "roomId", "required": true, "schema": {"type": "string"}}],
				"responses": {
					"200": {"description": "", "headers": {"X-Thing": {"required": true, "schema": {"type": "string"}}},
						"content": {"application/json": {"schema": {"type": "object"}}}},
					"429": {"description": "", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}}}},
			"put": {
				"operationId": "putThing", "x-file": "thing", "x-added": "1.10", "security": [],
				"parameters": [{"in": "path", "name": "roomId", "required": true, "schema": {"type": "string", "format": "mx-room-id"}}],
				"requestBody": {"required": true, "content": {"application/json": {"schema": {
					"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}}}},
				"responses": {"200": {"description": ""}}}}},
		"components": {
			"schemas": {"error": {"type": "object", "properties": {"errcode": {"type": "string"}}, "required": ["errcode"]}},
			"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}}}`,
		string(out["v1.19/identity.json"]))
	require.JSONEq(t, `{"$schema": "`+dialect+`", "type": "object", "allOf": [{"$ref": "#/$defs/event"}],
		"$defs": {"event": {"type": "object", "properties": {"type": {"type": "string"}}}}}`,
		string(out["v1.19/events/m.tag.json"]))
	require.Contains(t, string(out["v1.19/errors.json"]), "M_THING")
}

func TestDistillingTwiceGivesTheSameBytes(t *testing.T) {
	dir, over := checkout(t, nil), overlays(t, "formats: {in: path, names: {roomId: mx-room-id}}")
	first, err := Distill(dir, over)
	require.NoError(t, err)
	for range 20 {
		again, err := Distill(dir, over)
		require.NoError(t, err)
		require.Equal(t, first, again)
	}
}

func TestWriteReplacesTheRelease(t *testing.T) {
	out, err := Distill(checkout(t, nil), overlays(t))
	require.NoError(t, err)
	dir := t.TempDir()
	stale := filepath.Join(dir, Version, "gone.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(stale), 0o755))
	require.NoError(t, os.WriteFile(stale, nil, 0o644))
	require.NoError(t, out.Write(dir))
	require.NoFileExists(t, stale)
	for name, want := range out {
		have, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, string(want), string(have))
	}
}

// Every kind of object must refuse an unknown keyword with an error that names
// its position.
func TestUnknownKeywordsAreErrors(t *testing.T) {
	const at = "api/client-server/thing.yaml#"
	for _, c := range []struct{ name, old, new, want string }{
		{"document", "info: ", "webhooks: {}\ninfo: ", at + `: unknown keyword "webhooks" in a document`},
		{"server", "variables:", "description: x\n    variables:", at + `/servers/0: unknown keyword "description" in a server`},
		{"components", "  securitySchemes:", "  callbacks: {}\n  securitySchemes:", at + `/components: unknown keyword "callbacks" in a components`},
		{"path item", "    get:", "    trace: {}\n    get:", at + `/paths/~1things~1{roomId}: unknown keyword "trace" in a path item`},
		{"operation", "summary: prose", "callbacks: {}", at + `/paths/~1things~1{roomId}/get: unknown keyword "callbacks" in a operation`},
		{"parameter", "example: prose", "style: form", `/get/parameters/0: unknown keyword "style" in a parameter`},
		{"request body", "required: true\n        content", "x-new: 1\n        content", `/put/requestBody: unknown keyword "x-new" in a request body`},
		{"response", "description: prose\n          headers", "links: {}\n          headers", `/get/responses/200: unknown keyword "links" in a response`},
		{"header", "required: true}}\n          content", "style: simple}}\n          content", `/headers/X-Thing: unknown keyword "style" in a header`},
		{"media type", "example: {}", "encoding: {}", `/content/application~1json: unknown keyword "encoding" in a media type`},
		{"schema", "a: {type: integer}", "a: {type: integer, minimum: 0}", `/properties/a: unknown keyword "minimum" in a schema`},
		{"security scheme", "type: apiKey", "type: apiKey, flows: {}", `/securitySchemes/bearerQuery: unknown keyword "flows" in a security scheme`},
		{"beside a reference", "{$ref: ../client-server/definitions/security.yaml#/bearer}", "{$ref: x.yaml, type: http}", `/securitySchemes/bearer: unknown keyword "type" beside a $ref`},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, 1, strings.Count(thing, c.old), "the case changes one place")
			change := map[string]string{"api/client-server/thing.yaml": strings.Replace(thing, c.old, c.new, 1)}
			_, err := Distill(checkout(t, change), overlays(t))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestInvalidSourcesAreErrors(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"a version that YAML reads as a number", `"1.10"`, "1.10", "/put: 1.1 is no version in quotes"},
		{"a status without quotes", `"429":`, "429:", "not a mapping"},
		{"a status that is none", `"429":`, `"4XY":`, `"4XY" is no status`},
		{"an operation without an id", "operationId: getThing", "deprecated: true", "no operationId"},
		{"two operations with one id", "operationId: putThing", "operationId: getThing", "operation id getThing is not unique"},
		{"a reference into nothing", "error.yaml", "error.yaml#/nothing", "dangling $ref"},
		{"a reference to no file", "error.yaml", "fault.yaml", "fault.yaml"},
		{"a required that is no list", "required: [b, a]", "required: b", "not a list"},
		{"a parameter without a schema", "required: true, schema: {type: string, format: mx-room-id}", "required: true", "/put/parameters/0: no schema"},
		{"two servers", "servers:\n", "servers:\n  - {url: x, variables: {}}\n", "not one server"},
		{"two schemes at once", "{bearerQuery: []}", "{bearerQuery: [], bearer: []}", "is not one scheme"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, 1, strings.Count(thing, c.old), "the case changes one place")
			change := map[string]string{"api/client-server/thing.yaml": strings.Replace(thing, c.old, c.new, 1)}
			_, err := Distill(checkout(t, change), overlays(t))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestSchemasThatShareANameAreBothQualified(t *testing.T) {
	ref := func(file string) string {
		return strings.Replace(thing, "{schema: {type: object}, example: {}}", "{schema: {allOf: [{$ref: "+file+"}, {$ref: ../push-gateway/definitions/error.yaml}]}}", 1)
	}
	out, err := Distill(checkout(t, map[string]string{
		"api/client-server/thing.yaml":            ref("definitions/error.yaml"),
		"api/push-gateway/definitions/error.yaml": "type: object\n",
	}), overlays(t))
	require.NoError(t, err)
	doc := string(out["v1.19/client-server.json"])
	require.Contains(t, doc, `"client-server_error": {`)
	require.Contains(t, doc, `"push-gateway_error": {`)
	require.NotContains(t, doc, `"error": {`)
}

// merging is two operations whose paths differ only in a trailing space.
var merging = map[string]string{"api/client-server/other.yaml": `
openapi: 3.1.0
info: {title: Other, version: 1.0.0}
paths:
  "/things/{roomId} ":
    put:
      operationId: putOther
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, required: [c], properties: {c: {type: integer}}}}}
      parameters:
        - {in: path, name: roomId, required: true, schema: {type: string}}
        - {in: query, name: only, required: true, schema: {type: string}}
      responses: {"200": {description: prose}, "404": {description: prose}}
servers:
  - url: "{protocol}://{hostname}{basePath}"
    variables: {basePath: {default: /_matrix}}
`}

func TestMergedRoute(t *testing.T) {
	_, err := Distill(checkout(t, merging), overlays(t))
	require.ErrorContains(t, err, "no overlay merges the operations [putOther putThing]")

	out, err := Distill(checkout(t, merging), overlays(t, `
merge:
  - in: client-server
    operationId: putThing
    variants:
      - {operationId: putOther, when: "body:c"}
      - {operationId: putThing, when: "body:a"}
`))
	require.NoError(t, err)
	doc := parse(t, out["v1.19/client-server.json"])
	op := doc["paths"].(object)["/_matrix/things/{roomId}"].(object)["put"].(object)
	require.Equal(t, "putThing", op["operationId"])
	variants := op["x-operations"].([]any)
	require.Equal(t, []any{"putOther", "body:c", "other"}, []any{variants[0].(object)["operationId"], variants[0].(object)["x-when"], variants[0].(object)["x-file"]})
	require.Equal(t, []any{"putThing", "body:a", "thing"}, []any{variants[1].(object)["operationId"], variants[1].(object)["x-when"], variants[1].(object)["x-file"]})
	body := op["requestBody"].(object)
	require.Equal(t, true, body["required"])
	require.Len(t, body["content"].(object)["application/json"].(object)["schema"].(object)["anyOf"], 2)
	require.ElementsMatch(t, []string{"200", "404"}, slices.Collect(maps.Keys(op["responses"].(object))))
	for _, p := range op["parameters"].([]any) {
		require.Equal(t, p.(object)["in"] == "path", p.(object)["required"] == true, "a parameter of one variant is optional in the union")
	}
}
