// SPDX-License-Identifier: Apache-2.0

package strict

import "testing"

// made are values of the formats and patterns that upstream uses.
var made = map[string]string{
	"mx-user-id": "@a:b.c", "mx-room-id": "!a:b.c", "mx-event-id": "$a:b.c", "mx-room-alias": "#a:b.c",
	"mx-server-name": "b.c", "mx-mxc-uri": "mxc://b.c/d", "uri": "https://b.c", "email": "a@b.c",
}

// compose completes a value with all members that a schema describes. Nil is
// no value yet.
func (u *upstream) compose(t *testing.T, file string, schema map[string]any, v any) any {
	t.Helper()
	if e, ok := schema["example"]; ok && v == nil {
		v = u.example(t, file, e)
	}
	if ref, ok := schema["$ref"].(string); ok {
		at, target := u.resolve(t, file, ref)
		v = u.compose(t, at, target.(map[string]any), v)
	}
	parts, _ := schema["allOf"].([]any)
	for _, key := range []string{"anyOf", "oneOf"} {
		if alts, ok := schema[key].([]any); ok && v == nil {
			parts = append(parts, alts[len(alts)-1])
		}
	}
	for _, p := range parts {
		v = u.compose(t, file, p.(map[string]any), v)
	}
	if o, ok := v.(map[string]any); ok {
		u.complete(t, file, schema, o)
	}
	if v != nil {
		return v
	}
	return u.composeType(t, file, schema)
}

// complete adds the members that a schema describes by name.
func (u *upstream) complete(t *testing.T, file string, schema map[string]any, o map[string]any) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	for k, sub := range properties {
		o[k] = u.compose(t, file, sub.(map[string]any), o[k])
	}
}

func (u *upstream) composeType(t *testing.T, file string, schema map[string]any) any {
	t.Helper()
	kind := schema["type"]
	if list, ok := kind.([]any); ok {
		kind = list[0]
	}
	if enum, ok := schema["enum"].([]any); ok {
		return enum[0]
	}
	switch kind {
	case "integer", "number":
		return 1
	case "boolean":
		return true
	case "string":
		if schema["pattern"] == "^turns?:" {
			return "turn:b.c"
		}
		format, _ := schema["format"].(string)
		if v := made[format]; v != "" {
			return v
		}
		return "text"
	case "array":
		items, _ := schema["items"].(map[string]any)
		one := u.compose(t, file, items, nil)
		if schema["minItems"] == 2 {
			return []any{200, one}
		}
		return []any{one}
	}
	if kind != "object" && schema["properties"] == nil {
		return nil
	}
	out := map[string]any{}
	u.complete(t, file, schema, out)
	patterns, _ := schema["patternProperties"].(map[string]any)
	for _, sub := range patterns {
		sub := sub.(map[string]any)
		out[made[sub["x-pattern-format"].(string)]] = u.compose(t, file, sub, nil)
	}
	if more, ok := schema["additionalProperties"].(map[string]any); ok && len(out) == 0 {
		out["name"] = u.compose(t, file, more, nil)
	}
	return out
}
