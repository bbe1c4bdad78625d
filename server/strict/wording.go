// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"regexp"
	"strings"
)

// kindWords are the types of JSON Schema with their articles.
var kindWords = map[string]string{
	"string": "a string", "integer": "an integer", "number": "a number", "boolean": "true or false",
	"array": "an array", "object": "an object", "null": "null",
}

// formatWords are the formats of strings as people call them.
var formatWords = map[string]string{
	"mx-user-id": "a user ID", "mx-room-id": "a room ID", "mx-event-id": "an event ID", "mx-room-alias": "a room alias",
	"mx-server-name": "a server name", "mx-mxc-uri": "an MXC URI", "mx-unpadded-base64": "unpadded Base64",
	"mx-urlsafe-unpadded-base64": "URL-safe unpadded Base64",
}

// expectation says what a keyword asks for, from the validator's message, whose
// remarks on what it found are left out: they may repeat a value.
func expectation(keyword, message string) string {
	switch keyword {
	case "type":
		list, _, _ := strings.Cut(strings.TrimPrefix(message, "expected "), ", but got ")
		var words []string
		for _, kind := range strings.Split(list, " or ") {
			words = append(words, kindWords[kind])
		}
		return strings.Join(words, " or ")
	case "anyOf", "oneOf":
		return "one of the alternatives"
	case "format", "x-pattern-format":
		name := strings.Trim(message[strings.LastIndexByte(message, ' ')+1:], "'")
		word := formatWords[name]
		if word == "" {
			word = "a valid " + name
		}
		if keyword == "x-pattern-format" {
			return "names that are " + word
		}
		return word
	case "pattern":
		return "a string that" + strings.TrimPrefix(strings.Replace(message, "does not match", " matches", 1), "")
	case "additionalProperties":
		return "no further members"
	}
	if words, ok := limitWords[keyword]; ok {
		return fmt.Sprintf(words, digits.FindString(message))
	}
	for _, end := range []string{", but found ", " but found ", ", but got ", " but got ", " not multipleOf "} {
		message, _, _ = strings.Cut(message, end)
	}
	return message
}

// limitWords say what a limit of a schema is; the first number of the message is
// the limit's.
var limitWords = map[string]string{
	"minProperties": "an object with at least %s member(s)", "maxProperties": "an object with at most %s member(s)",
	"minItems": "an array of at least %s element(s)", "maxItems": "an array of at most %s element(s)",
	"minLength": "a string of at least %s character(s)", "maxLength": "a string of at most %s character(s)",
	"minimum": "a number of at least %s", "maximum": "a number of at most %s",
}

var digits = regexp.MustCompile(`-?[0-9][0-9.eE+-]*`)

var quoted = regexp.MustCompile(`'([^']*)'`)

// missingNames reads the names in the validator's message about required members.
func missingNames(message string) []string {
	var names []string
	for _, m := range quoted.FindAllStringSubmatch(message, -1) {
		names = append(names, m[1])
	}
	return names
}
