// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// operation copies one operation.
func (b *bundler) operation(at position, v any) (object, error) {
	in, err := operationKind.check(at, v)
	if err != nil {
		return nil, err
	}
	id, ok := in["operationId"].(string)
	if !ok || id == "" {
		return nil, fmt.Errorf("%s: no operationId", at)
	}
	out := object{"operationId": id}
	if out["security"], err = security(at.member("security"), in["security"]); err != nil {
		return nil, err
	}
	if in["deprecated"] == true {
		out["deprecated"] = true
	}
	if v := in["x-addedInMatrixVersion"]; v != nil {
		if out["x-added"], err = added(at, v); err != nil {
			return nil, err
		}
	}
	if v := in["parameters"]; v != nil {
		if out["parameters"], err = b.parameters(at.member("parameters"), v); err != nil {
			return nil, err
		}
	}
	if v := in["requestBody"]; v != nil {
		if out["requestBody"], err = b.requestBody(at.member("requestBody"), v); err != nil {
			return nil, err
		}
	}
	responses, err := b.responses(at.member("responses"), in["responses"])
	if err != nil {
		return nil, err
	}
	out["responses"] = responses
	if responses["429"] != nil {
		out["x-rate-limited"] = true
	}
	return out, nil
}

func (b *bundler) parameters(at position, v any) (any, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: not a list", at)
	}
	out := make([]any, len(list))
	for i, p := range list {
		at, p, err := b.src.deref(at.member(fmt.Sprint(i)), p)
		if err != nil {
			return nil, err
		}
		if out[i], err = b.parameter(at, p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b *bundler) parameter(at position, v any) (object, error) {
	in, err := parameterKind.check(at, v)
	if err != nil {
		return nil, err
	}
	out := object{"name": in["name"], "in": in["in"]}
	if in["required"] == true {
		out["required"] = true
	}
	if in["schema"] == nil {
		return nil, fmt.Errorf("%s: no schema", at)
	}
	if out["schema"], err = b.schema(at.member("schema"), in["schema"]); err != nil {
		return nil, err
	}
	if v := in["x-addedInMatrixVersion"]; v != nil {
		if out["x-added"], err = added(at, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b *bundler) requestBody(at position, v any) (any, error) {
	at, v, err := b.src.deref(at, v)
	if err != nil {
		return nil, err
	}
	in, err := requestBodyKind.check(at, v)
	if err != nil {
		return nil, err
	}
	out := object{}
	if in["required"] == true {
		out["required"] = true
	}
	out["content"], err = b.content(at.member("content"), in["content"])
	return out, err
}

func (b *bundler) content(at position, v any) (any, error) {
	in, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("%s: not a mapping", at)
	}
	out := object{}
	for mime, m := range in {
		at := at.member(mime)
		media, err := mediaTypeKind.check(at, m)
		if err != nil {
			return nil, err
		}
		copied := object{}
		if s := media["schema"]; s != nil {
			if copied["schema"], err = b.schema(at.member("schema"), s); err != nil {
				return nil, err
			}
		}
		out[mime] = copied
	}
	return out, nil
}

var statusCode = regexp.MustCompile(`^[1-5]([0-9]{2}|XX)$`)

func (b *bundler) responses(at position, v any) (object, error) {
	in, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("%s: not a mapping of statuses in quotes", at)
	}
	out := object{}
	for _, code := range slices.Sorted(maps.Keys(in)) {
		if !statusCode.MatchString(code) {
			return nil, fmt.Errorf("%s: %q is no status", at, code)
		}
		r, err := b.response(at.member(code), in[code])
		if err != nil {
			return nil, err
		}
		out[code] = r
	}
	return out, nil
}

func (b *bundler) response(at position, v any) (object, error) {
	at, v, err := b.src.deref(at, v)
	if err != nil {
		return nil, err
	}
	in, err := responseKind.check(at, v)
	if err != nil {
		return nil, err
	}
	out := object{"description": ""} // OpenAPI requires a description
	if v := in["content"]; v != nil {
		if out["content"], err = b.content(at.member("content"), v); err != nil {
			return nil, err
		}
	}
	if v := in["headers"]; v != nil {
		if out["headers"], err = b.headers(at.member("headers"), v); err != nil {
			return nil, err
		}
	}
	if v := in["x-addedInMatrixVersion"]; v != nil {
		if out["x-added"], err = added(at, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b *bundler) headers(at position, v any) (any, error) {
	in, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("%s: not a mapping", at)
	}
	out := object{}
	for name, h := range in {
		at, h, err := b.src.deref(at.member(name), h)
		if err != nil {
			return nil, err
		}
		header, err := headerKind.check(at, h)
		if err != nil {
			return nil, err
		}
		copied := object{}
		if header["required"] == true {
			copied["required"] = true
		}
		if copied["schema"], err = b.schema(at.member("schema"), header["schema"]); err != nil {
			return nil, err
		}
		if v := header["x-addedInMatrixVersion"]; v != nil {
			if copied["x-added"], err = added(at, v); err != nil {
				return nil, err
			}
		}
		out[name] = copied
	}
	return out, nil
}
