// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
)

// A treatment says what distillation does with a keyword.
type treatment uint8

const (
	unknown treatment = iota // an error
	keep                     // copied, or rewritten by the code for the keyword
	drop                     // removed: text for people, or for other tools
)

// An objectKind is a kind of mapping with the keywords that it may have.
type objectKind struct {
	name     string
	keywords map[string]treatment
}

var (
	rootKind = objectKind{"document", map[string]treatment{
		"openapi": drop, "info": drop, "paths": keep, "servers": keep, "components": keep,
	}}
	serverKind = objectKind{"server", map[string]treatment{
		"url": keep, "variables": keep,
	}}
	componentsKind = objectKind{"components", map[string]treatment{
		// Except for the security schemes, these are read where a reference
		// leads to them.
		"securitySchemes": keep, "responses": drop, "parameters": drop, "headers": drop,
		"schemas": drop, "requestBodies": drop, "examples": drop,
	}}
	pathItemKind = objectKind{"path item", map[string]treatment{
		"get": keep, "put": keep, "post": keep, "delete": keep,
	}}
	operationKind = objectKind{"operation", map[string]treatment{
		"operationId": keep, "security": keep, "parameters": keep, "requestBody": keep,
		"responses": keep, "deprecated": keep, "x-addedInMatrixVersion": keep,
		"summary": drop, "description": drop, "tags": drop, "x-changedInMatrixVersion": drop,
	}}
	parameterKind = objectKind{"parameter", map[string]treatment{
		"name": keep, "in": keep, "required": keep, "schema": keep, "x-addedInMatrixVersion": keep,
		"description": drop, "example": drop, "x-changedInMatrixVersion": drop,
	}}
	requestBodyKind = objectKind{"request body", map[string]treatment{
		"content": keep, "required": keep,
		"description": drop,
	}}
	responseKind = objectKind{"response", map[string]treatment{
		"content": keep, "headers": keep, "x-addedInMatrixVersion": keep,
		"description": drop,
	}}
	headerKind = objectKind{"header", map[string]treatment{
		"schema": keep, "required": keep, "x-addedInMatrixVersion": keep,
		"description": drop, "x-changedInMatrixVersion": drop,
	}}
	mediaTypeKind = objectKind{"media type", map[string]treatment{
		"schema":  keep,
		"example": drop, "examples": drop,
	}}
	securitySchemeKind = objectKind{"security scheme", map[string]treatment{
		"type": keep, "scheme": keep, "name": keep, "in": keep,
		"description": drop,
	}}
	schemaKind = objectKind{"schema", map[string]treatment{
		"$ref": keep, "type": keep, "enum": keep, "default": keep, "deprecated": keep,
		"format": keep, "pattern": keep, "maxLength": keep,
		"properties": keep, "patternProperties": keep, "additionalProperties": keep,
		"propertyNames": keep, "required": keep, "minProperties": keep, "maxProperties": keep,
		"items": keep, "minItems": keep, "maxItems": keep,
		"allOf": keep, "anyOf": keep, "oneOf": keep,
		"x-pattern-format": keep, "x-addedInMatrixVersion": keep,
		"title": drop, "description": drop, "example": drop, "$schema": drop,
		"x-changedInMatrixVersion": drop, "x-weight": drop,
	}}
)

// check returns v as a mapping of this kind, or an error with the position of
// the first unknown keyword.
func (k objectKind) check(at position, v any) (object, error) {
	o, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("%s: a %s is a mapping, not %T", at, k.name, v)
	}
	for _, key := range slices.Sorted(maps.Keys(o)) {
		if k.keywords[key] == unknown {
			return nil, fmt.Errorf("%s: unknown keyword %q in a %s", at, key, k.name)
		}
	}
	return o, nil
}
