// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOverlaySetsAndRemoves(t *testing.T) {
	out, err := Distill(checkout(t, nil), overlays(t, `
edits:
  - {in: client-server, operation: getThing, at: /parameters/roomId/x-may-be-empty, set: true}
  - {in: client-server, operation: getThing, at: /parameters/0/required, was: true, remove: true}
  - {in: client-server, operation: putThing, json: request, at: /properties/a, was: {type: integer}, set: {type: string}}
  - {in: client-server, operation: getThing, json: "429", at: "", was: {$ref: "#/components/schemas/error"}, set: {type: object}}
  - {in: events, schema: m.tag, at: /x-open, set: true}
formats: {in: path, names: {roomId: mx-room-id}}
`))
	require.NoError(t, err)
	doc := parse(t, out["v1.19/client-server.json"])
	item := doc["paths"].(object)["/_matrix/things/{roomId}"].(object)
	require.Equal(t, []any{object{"in": "path", "name": "roomId", "x-may-be-empty": true,
		"schema": object{"type": "string", "format": "mx-room-id"}}}, item["get"].(object)["parameters"])
	schema := item["put"].(object)["requestBody"].(object)["content"].(object)["application/json"].(object)["schema"].(object)
	require.Equal(t, object{"type": "string"}, schema["properties"].(object)["a"])
	require.NotContains(t, doc["components"], "schemas", "a schema that nothing refers to is left out")
	require.Equal(t, true, parse(t, out["v1.19/events/m.tag.json"])["x-open"])
	require.Contains(t, parse(t, out["v1.19/identity.json"])["components"], "schemas", "the other documents are as they were")
}

func TestStaleOverlaysAreErrors(t *testing.T) {
	for _, c := range []struct{ name, overlay, want string }{
		{"the operation is gone", "edits: [{in: identity, operation: getThong, at: /x, set: 1}]", `overlay 0.yaml, edit 1: stale: no operation "getThong"`},
		{"the schema is gone", "edits: [{in: identity, schema: fault, at: /x, set: 1}]", `stale: no schema "fault"`},
		{"the event is gone", "edits: [{in: events, schema: m.nothing, at: /x, set: 1}]", `stale: no event schema "m.nothing"`},
		{"the place is gone", "edits: [{in: identity, operation: getThing, at: /requestBody/required, set: true}]", "stale: nothing at /requestBody"},
		{"the place is now set", "edits: [{in: identity, operation: putThing, at: /requestBody/required, set: true}]", "stale: /requestBody/required already holds true"},
		{"the value has changed", "edits: [{in: identity, operation: putThing, at: /x-added, was: '1.9', set: '1.8'}]", "stale: /x-added holds 1.10, not 1.9"},
		{"the value is gone", "edits: [{in: identity, operation: getThing, at: /x-added, was: '1.9', remove: true}]", "stale: nothing at /x-added"},
		{"the format is there", "formats: {in: path, apis: [identity], names: {eventId: mx-event-id}}", `stale: no parameter "eventId" lacks a format`},
		{"the routes are apart", "merge: [{in: identity, operationId: a, variants: [{operationId: a}, {operationId: b}]}]", "overlay 0.yaml: stale: nothing to merge into a"},
		{"the code is in the data", `errors: {operations: {identity: {getThing: {"429": [M_THING]}}}}`, "stale: getThing already has 429 M_THING"},
		{"no such document", "edits: [{in: idem, operation: getThing, at: /x, set: 1}]", `no document "idem"`},
		{"it neither sets nor removes", "edits: [{in: identity, operation: getThing, at: /x}]", "either sets or removes"},
		{"it sets and removes", "edits: [{in: identity, operation: putThing, at: /x-added, was: '1.10', set: '1.9', remove: true}]", "either sets or removes"},
		{"it names two things", "edits: [{in: identity, operation: getThing, schema: error, at: /x, set: 1}]", "names an operation or a schema"},
		{"it is misspelt", "edit: []", "field edit not found"},
		{"a format for a number", "formats: {in: path, names: {roomId: x}}\nedits: [{in: identity, operation: getThing, at: /parameters/roomId/schema, was: {type: string}, set: {type: integer}}]", "parameter roomId is no string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Distill(checkout(t, nil), overlays(t, c.overlay))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestOverlaysMustSayWhy(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.yaml"), []byte("what: a\nsource: b\n"), 0o644))
	_, err := Distill(checkout(t, nil), dir)
	require.ErrorContains(t, err, "overlay x.yaml: what, why and source must all be said")
}
