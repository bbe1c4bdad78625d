// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

const dialect = "https://json-schema.org/draft/2020-12/schema"

// distillEvents copies the schema of every event type, each with what it
// refers to under $defs.
func distillEvents(src *source) (map[string]object, error) {
	files, err := src.list("event-schemas/schema")
	if err != nil {
		return nil, err
	}
	out := map[string]object{}
	for _, file := range files {
		if out[stem(file)], err = standalone(src, file); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// standalone copies the schema of one file into a document of its own.
func standalone(src *source, file string) (object, error) {
	at := place{file: file}
	v, err := src.load(file)
	if err != nil {
		return nil, err
	}
	b := newBundler(src, "#/$defs/")
	s, err := b.schema(at, v)
	if err != nil {
		return nil, err
	}
	doc, ok := s.(object)
	if !ok {
		return nil, fmt.Errorf("%s: not a mapping", at)
	}
	defs, err := b.finish()
	if err != nil {
		return nil, err
	}
	doc["$schema"] = dialect
	if len(defs) > 0 {
		doc["$defs"] = defs
	}
	return doc, nil
}
