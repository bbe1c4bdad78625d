// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// errorCodes is errors.json. Upstream has no keyword for error codes: they
// stand in descriptions and examples, from which only the codes are taken.
type errorCodes struct {
	// Codes says in which parts of the specification each code occurs.
	Codes map[string][]string `json:"codes"`
	// Operations holds, by API, operation id and status, the codes that the
	// operation names. Status "any" holds those of its own description.
	Operations map[string]map[string]map[string][]string `json:"operations"`
}

var errorCode = regexp.MustCompile(`\bM_[A-Z][A-Z0-9_]*[A-Z0-9]\b`)

func distillErrors(src *source) (*errorCodes, error) {
	out := &errorCodes{map[string][]string{}, map[string]map[string]map[string][]string{}}
	if err := out.scanFiles(src.root); err != nil {
		return nil, err
	}
	for _, api := range apis {
		ops := map[string]map[string][]string{}
		files, err := src.list("api/" + api)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if err := scanOperations(src, file, ops); err != nil {
				return nil, err
			}
		}
		out.Operations[api] = ops
	}
	return out, nil
}

// scanFiles finds every code in the whole data folder.
func (e *errorCodes) scanFiles(root string) error {
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		part := strings.Split(filepath.ToSlash(rel), "/")
		where := part[0]
		if where == "api" {
			where = part[1]
		}
		for _, code := range errorCode.FindAllString(string(raw), -1) {
			if !slices.Contains(e.Codes[code], where) {
				e.Codes[code] = append(e.Codes[code], where)
				slices.Sort(e.Codes[code])
			}
		}
		return nil
	})
}

func scanOperations(src *source, file string, ops map[string]map[string][]string) error {
	v, err := src.load(file)
	if err != nil {
		return err
	}
	for path, item := range v.(object)["paths"].(object) {
		for method, op := range item.(object) {
			at := place{file: file}.down("paths", path, method)
			found, err := operationCodes(src, at, op.(object))
			if err != nil {
				return err
			}
			if len(found) > 0 {
				ops[op.(object)["operationId"].(string)] = found
			}
		}
	}
	return nil
}

func operationCodes(src *source, at place, op object) (map[string][]string, error) {
	found := map[string][]string{}
	note := func(status string, v any) error {
		text, err := yaml.Marshal(v)
		if err != nil {
			return err
		}
		codes := errorCode.FindAllString(string(bytes.TrimSpace(text)), -1)
		slices.Sort(codes)
		if codes = slices.Compact(codes); len(codes) > 0 {
			found[status] = codes
		}
		return nil
	}
	if err := note("any", op["description"]); err != nil {
		return nil, err
	}
	responses := op["responses"].(object)
	for _, status := range slices.Sorted(maps.Keys(responses)) {
		_, r, err := src.deref(at.down("responses", status), responses[status])
		if err != nil {
			return nil, err
		}
		if err := note(status, r); err != nil {
			return nil, err
		}
	}
	if responses["429"] != nil && found["429"] == nil {
		found["429"] = []string{"M_LIMIT_EXCEEDED"}
	}
	return found, nil
}
