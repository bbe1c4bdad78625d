// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

const dialect = "https://json-schema.org/draft/2020-12/schema"

// distillSchemas copies the schemas of events, EDUs or PDUs, each with its
// referenced schemas under $defs.
func distillSchemas(src *source, pattern string) (map[string]object, error) {
	files, err := src.list(pattern)
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

// standalone copies the schema of one file to a separate document.
func standalone(src *source, file string) (object, error) {
	at := position{file: file}
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
