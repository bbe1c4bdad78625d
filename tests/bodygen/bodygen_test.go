// SPDX-License-Identifier: Apache-2.0

package bodygen

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

const document = `{
	"type": "object",
	"allOf": [{"$ref": "#/components/schemas/base"}],
	"properties": {
		"list": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
		"maybe": {"type": ["string", "null"]},
		"who": {"type": "object", "patternProperties": {"^@": {"type": "boolean"}}}
	}
}`

const component = `{"type": "object", "properties": {"id": {"type": "string", "format": "mx-user-id"}}, "required": ["id"]}`

func load(t *testing.T) *Schema {
	var node, base any
	require.NoError(t, json.Unmarshal([]byte(document), &node))
	require.NoError(t, json.Unmarshal([]byte(component), &base))
	s, err := reader{map[string]any{"base": base}}.schema(node)
	require.NoError(t, err)
	return s
}

func text(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

func TestMake(t *testing.T) {
	s := load(t)
	require.Equal(t, `{"id":"@someone:hs1"}`, text(t, Maker{}.Make(s)))
	require.Equal(t, `{"id":"@someone:hs1","list":[{"n":1}],"maybe":"text","who":{"@someone:hs1":false}}`,
		text(t, Maker{Full: true}.Make(s)))
	values := func(place string, _ *Schema) (any, bool) { return "@me:hs1", place == "id" }
	require.Equal(t, `{"id":"@me:hs1"}`, text(t, Maker{Values: values}.Make(s)))
}

func TestFaults(t *testing.T) {
	s := load(t)
	missing := map[string]string{}
	for _, f := range (Maker{Full: true}).Missing(s) {
		missing[f.Name] = text(t, f.Body)
	}
	require.Equal(t, map[string]string{
		"without id":       `{"list":[{"n":1}],"maybe":"text","who":{"@someone:hs1":false}}`,
		"without list/0/n": `{"id":"@someone:hs1","list":[{}],"maybe":"text","who":{"@someone:hs1":false}}`,
	}, missing)

	wrong := map[string]string{}
	for _, f := range (Maker{Full: true}).WrongTypes(s) {
		wrong[f.Name] = text(t, f.Body)
	}
	require.Equal(t, `"text"`, wrong["string at /"])
	require.Equal(t, `{"id":7,"list":[{"n":1}],"maybe":"text","who":{"@someone:hs1":false}}`, wrong["integer at /id"])
	require.Equal(t, `{"id":"@someone:hs1","list":["text"],"maybe":"text","who":{"@someone:hs1":false}}`, wrong["string at /list/0"])
	require.Equal(t, `{"id":"@someone:hs1","list":[{"n":1}],"maybe":7,"who":{"@someone:hs1":false}}`, wrong["integer at /maybe"])
	require.Contains(t, wrong, "string at /who/@someone:hs1")
	require.Contains(t, wrong, "null at /list")
	require.NotContains(t, wrong, "null at /maybe")
}

func TestDocuments(t *testing.T) {
	docs, err := Load("../../spec")
	require.NoError(t, err)
	require.Len(t, docs, 235)
	require.Equal(t, []string{"user_id"}, docs["clientapi inviteUser"].Body.Required)
	require.Contains(t, docs["clientapi inviteBy3PID"].Body.Properties, "medium")
	require.True(t, docs["clientapi createRoom"].Required)
	require.Nil(t, docs["clientapi sync"].Body)
}
