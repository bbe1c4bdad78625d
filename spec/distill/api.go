// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A document is one API during distillation. Operations are a list until the
// overlays have been applied, because upstream has operations with the same
// method and path.
type document struct {
	api        string
	operations []*operation
	schemas    object
	security   object
}

// An operation is one distilled operation object with its route.
type operation struct {
	path, method string
	object
}

func (o *operation) id() string { return o.object["operationId"].(string) }

func distillAPI(src *source, api string) (*document, error) {
	files, err := src.list("api/" + api + "/*.yaml")
	if err != nil {
		return nil, err
	}
	d := &document{api: api, security: object{}}
	b := newBundler(src, "#/components/schemas/")
	for _, file := range files {
		if err := d.addFile(b, file); err != nil {
			return nil, err
		}
	}
	if d.schemas, err = b.finish(); err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, op := range d.operations {
		if ids[op.id()] {
			return nil, fmt.Errorf("operation id %s is not unique", op.id())
		}
		ids[op.id()] = true
	}
	return d, nil
}

func (d *document) addFile(b *bundler, file string) error {
	at := position{file: file}
	v, err := b.src.load(file)
	if err != nil {
		return err
	}
	root, err := rootKind.check(at, v)
	if err != nil {
		return err
	}
	base, err := basePath(at.member("servers"), root["servers"])
	if err != nil {
		return err
	}
	if root["components"] != nil {
		if err := d.addSecurity(b, at.member("components"), root["components"]); err != nil {
			return err
		}
	}
	paths, ok := root["paths"].(object)
	if !ok {
		return fmt.Errorf("%s: no paths", at)
	}
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		at := at.member("paths", p)
		item, err := pathItemKind.check(at, paths[p])
		if err != nil {
			return err
		}
		for _, method := range slices.Sorted(maps.Keys(item)) {
			op, err := b.operation(at.member(method), item[method])
			if err != nil {
				return err
			}
			op["x-file"] = stem(file)
			d.operations = append(d.operations, &operation{base + p, method, op})
		}
	}
	return nil
}

// basePath returns the base path, which upstream has in a server variable.
func basePath(at position, v any) (string, error) {
	list, ok := v.([]any)
	if !ok || len(list) != 1 {
		return "", fmt.Errorf("%s: not one server", at)
	}
	server, err := serverKind.check(at.member("0"), list[0])
	if err != nil {
		return "", err
	}
	vars, _ := server["variables"].(object)
	base, _ := vars["basePath"].(object)
	s, ok := base["default"].(string)
	if !ok || server["url"] != "{protocol}://{hostname}{basePath}" {
		return "", fmt.Errorf("%s: a server without a base path", at)
	}
	return s, nil
}

func (d *document) addSecurity(b *bundler, at position, v any) error {
	components, err := componentsKind.check(at, v)
	if err != nil {
		return err
	}
	schemes, _ := components["securitySchemes"].(object)
	for name, s := range schemes {
		at, s, err := b.src.deref(at.member("securitySchemes", name), s)
		if err != nil {
			return err
		}
		in, err := securitySchemeKind.check(at, s)
		if err != nil {
			return err
		}
		if legacyQueryToken(in) {
			continue
		}
		out := object{}
		for key, val := range in {
			if securitySchemeKind.keywords[key] == keep {
				out[key] = val
			}
		}
		d.security[name] = out
	}
	return nil
}

// legacyQueryToken reports whether a security scheme is a token in the query
// string. Every operation that takes a token also accepts it there, so the
// middleware handles it, not each operation.
func legacyQueryToken(scheme object) bool {
	return scheme["type"] == "apiKey" && scheme["in"] == "query" && scheme["name"] == "access_token"
}

// security normalises the security alternatives of an operation: no security
// becomes [], and the legacy query token is removed.
func security(at position, v any) ([]any, error) {
	out := []any{}
	if v == nil {
		return out, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: not a list", at)
	}
	for _, e := range list {
		req, ok := e.(object)
		if !ok || len(req) > 1 {
			return nil, fmt.Errorf("%s: %v is not one scheme", at, e)
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(req)), func(n string) bool { return strings.HasSuffix(n, "Query") }) {
			out = append(out, req)
		}
	}
	return out, nil
}
