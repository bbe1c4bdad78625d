// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/raw"
)

// deeper reports whether JSON nests deeper than max. It reads no further than needed,
// and accepts invalid JSON.
func deeper(body []byte, max int) bool {
	depth := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{', '[':
			if depth++; depth > max {
				return true
			}
		case '}', ']':
			depth--
		case '"':
			for i++; i < len(body) && body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
		}
	}
	return false
}

var errMore = errors.New("more than one value")

// depthError returns the error for a body that opens too many brackets: too deep, or
// not JSON if there is a syntax error before them.
func depthError(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		if _, err := dec.ReadToken(); err != nil {
			return bodyError(body, err)
		}
		switch dec.StackDepth() {
		case MaxDepth + 1:
			return BadJSON("The JSON nests deeper than %d", MaxDepth)
		case 0:
			return bodyError(body, errMore)
		}
	}
}

// bodyError converts an error of decoding body to M_NOT_JSON or M_BAD_JSON. A decoder
// stops at the first wrong value; this checks whether the rest is JSON, so that the
// code depends on the whole body and not on what comes first in it.
func bodyError(body []byte, err error) error {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		var v Raw
		errors.As(json.Unmarshal(body, &v), &syntax)
	}
	if syntax != nil {
		return NotJSON("Not JSON at byte %d%s: %s", syntax.ByteOffset, at(syntax.JSONPointer), reason(syntax.Err))
	}
	var semantic *json.SemanticError
	pointer := ""
	if errors.As(err, &semantic) {
		pointer = at(semantic.JSONPointer)
	}
	var own *Error
	switch {
	case errors.Is(err, raw.ErrNull):
		return BadJSON("%s%s", raw.ErrNull, pointer)
	case errors.As(err, &own):
		e := *own
		e.Msg += pointer
		return &e
	case semantic == nil:
		return NotJSON("Not JSON: %s", reason(err))
	case semantic.Err != nil:
		return BadJSON("Invalid value%s: %s", pointer, reason(semantic.Err))
	}
	return BadJSON("Invalid value%s: a JSON %s does not belong here", pointer, kind(semantic.JSONKind))
}

// at describes the place of a value, unless that is the whole body.
func at(p jsontext.Pointer) string {
	if p == "" {
		return ""
	}
	return fmt.Sprintf(" at %q", string(p))
}

// reason is the text of an error without the name of the package it is from.
func reason(err error) string {
	if err == nil {
		return "malformed"
	}
	s := strings.TrimPrefix(err.Error(), "jsontext: ")
	return strings.TrimPrefix(s, "json: ")
}

func kind(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number"
	case '{':
		return "object"
	case '[':
		return "array"
	}
	return "value"
}
