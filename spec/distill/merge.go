// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
)

// assemble makes the OpenAPI document. It merges operations with the same route
// as the overlays say.
func (d *document) assemble(merges []*merge) (object, error) {
	routes := map[[2]string][]*operation{}
	for _, op := range d.operations {
		key := [2]string{strings.TrimSpace(op.path), op.method}
		routes[key] = append(routes[key], op)
	}
	paths := object{}
	for key, ops := range routes {
		item, _ := paths[key[0]].(object)
		if item == nil {
			item = object{}
			paths[key[0]] = item
		}
		var err error
		if item[key[1]], err = d.route(ops, merges); err != nil {
			return nil, fmt.Errorf("%s %s: %w", key[1], key[0], err)
		}
	}
	components := object{}
	if used := d.used(paths); len(used) > 0 {
		components["schemas"] = used
	}
	if len(d.security) > 0 {
		components["securitySchemes"] = d.security
	}
	return object{
		"openapi":    "3.1.0",
		"info":       object{"title": "Matrix " + d.api, "version": Version},
		"paths":      paths,
		"components": components,
	}, nil
}

// used returns the schemas that are referenced. An overlay may have removed the
// last reference to a schema.
func (d *document) used(paths object) object {
	out := object{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case object:
			if ref, ok := v["$ref"].(string); ok {
				name := path.Base(ref)
				if _, seen := out[name]; !seen {
					out[name] = d.schemas[name]
					walk(out[name])
				}
			}
			for _, e := range v {
				walk(e)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(paths)
	return out
}

func (d *document) route(ops []*operation, merges []*merge) (object, error) {
	if len(ops) == 1 {
		return ops[0].object, nil
	}
	ids := map[string]*operation{}
	for _, op := range ops {
		ids[op.id()] = op
	}
	for _, m := range merges {
		if m.In == d.api && m.covers(ids) {
			m.used = true
			return m.union(ids)
		}
	}
	return nil, fmt.Errorf("no overlay merges the operations %v", slices.Sorted(maps.Keys(ids)))
}

// covers reports whether the merge is for exactly these operations.
func (m *merge) covers(ids map[string]*operation) bool {
	if len(ids) != len(m.Variants) {
		return false
	}
	for _, v := range m.Variants {
		if ids[v.OperationID] == nil {
			return false
		}
	}
	return true
}

// union returns an operation that accepts every request and allows every
// response of its variants. The variants themselves are listed under
// x-operations.
func (m *merge) union(ids map[string]*operation) (object, error) {
	var variants []any
	var ops []object
	for _, v := range m.Variants {
		op := maps.Clone(ids[v.OperationID].object)
		op["x-when"] = v.When
		variants, ops = append(variants, op), append(ops, op)
	}
	first := ops[0]
	out := object{"operationId": m.OperationID, "x-file": first["x-file"], "security": first["security"], "x-operations": variants}
	for _, op := range ops[1:] {
		if !reflect.DeepEqual(op["security"], first["security"]) {
			return nil, fmt.Errorf("the variants differ in security")
		}
	}
	if ids[m.OperationID] == nil {
		return nil, fmt.Errorf("%s is none of the variants", m.OperationID)
	}
	unionFlags(out, ops)
	if p := unionParameters(ops); len(p) > 0 {
		out["parameters"] = p
	}
	unionBody(out, ops)
	responses, err := unionResponses(ops)
	if err != nil {
		return nil, err
	}
	out["responses"] = responses
	return out, nil
}

func unionFlags(out object, ops []object) {
	deprecated := true
	for _, op := range ops {
		deprecated = deprecated && op["deprecated"] == true
		if op["x-rate-limited"] == true {
			out["x-rate-limited"] = true
		}
	}
	if deprecated {
		out["deprecated"] = true
	}
}

// unionParameters returns the parameters of all variants. A parameter that some
// variant lacks or does not require is optional.
func unionParameters(ops []object) []any {
	var out []any
	count := map[string]int{}
	for _, op := range ops {
		params, _ := op["parameters"].([]any)
		for _, p := range params {
			p := p.(object)
			key := fmt.Sprint(p["in"], " ", p["name"])
			if p["required"] == true {
				count[key]++
			}
			if !slices.ContainsFunc(out, func(q any) bool {
				return q.(object)["in"] == p["in"] && q.(object)["name"] == p["name"]
			}) {
				out = append(out, maps.Clone(p))
			}
		}
	}
	for _, p := range out {
		p := p.(object)
		if count[fmt.Sprint(p["in"], " ", p["name"])] < len(ops) {
			delete(p, "required")
		}
	}
	return out
}

// unionBody makes a JSON body that matches one of the variants.
func unionBody(out object, ops []object) {
	var schemas []any
	required := true
	for _, op := range ops {
		body, ok := op["requestBody"].(object)
		required = required && ok && body["required"] == true
		if ok {
			schemas = append(schemas, body["content"].(object)["application/json"].(object)["schema"])
		}
	}
	if schemas == nil {
		return
	}
	body := object{"content": object{"application/json": object{"schema": either(schemas)}}}
	if required {
		body["required"] = true
	}
	out["requestBody"] = body
}

func unionResponses(ops []object) (object, error) {
	out := object{}
	for _, op := range ops {
		for status, r := range op["responses"].(object) {
			have, ok := out[status].(object)
			if !ok {
				out[status] = r
				continue
			}
			if reflect.DeepEqual(have, r) {
				continue
			}
			a, b := jsonSchema(have), jsonSchema(r.(object))
			if a == nil || b == nil || have["headers"] != nil {
				return nil, fmt.Errorf("the variants differ in their %s response", status)
			}
			out[status] = object{"description": "", "content": object{
				"application/json": object{"schema": either([]any{a, b})}}}
		}
	}
	return out, nil
}

func jsonSchema(response object) any {
	content, _ := response["content"].(object)
	media, _ := content["application/json"].(object)
	return media["schema"]
}

// either returns a schema that every value of one of these schemas matches.
func either(schemas []any) any {
	var distinct []any
	for _, s := range schemas {
		if !slices.ContainsFunc(distinct, func(d any) bool { return reflect.DeepEqual(d, s) }) {
			distinct = append(distinct, s)
		}
	}
	if len(distinct) == 1 {
		return distinct[0]
	}
	return object{"anyOf": distinct}
}

// assemble makes the documents of all APIs.
func (t *tree) assemble(merges []*merge) (map[string]object, error) {
	docs := map[string]object{}
	for name, d := range t.docs {
		var err error
		if docs[name], err = d.assemble(merges); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, m := range merges {
		if !m.used {
			return nil, fmt.Errorf("overlay %s: stale: nothing to merge into %s", m.file, m.OperationID)
		}
	}
	return docs, nil
}
