// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// errorCodes is errors.json. Upstream has no keyword for error codes, only
// descriptions and examples, from which we extract the codes.
type errorCodes struct {
	// Codes lists for each code the parts of the specification that contain it.
	Codes map[string][]string `json:"codes"`
	// Common lists for each API the errors that every operation may return.
	Common map[string]commonErrors `json:"common"`
	// Operations lists, by API, operation ID and status, the codes that the
	// operation mentions. Status "any" is for the description of the operation
	// itself.
	Operations map[string]map[string]map[string][]string `json:"operations"`
}

type commonErrors struct {
	Statuses []int    `yaml:"statuses" json:"statuses"`
	Codes    []string `yaml:"codes" json:"codes"`
}

var errorCode = regexp.MustCompile(`\bM_[A-Z][A-Z0-9_]*[A-Z0-9]\b`)

func distillErrors(src *source, overlays []*overlay) (*errorCodes, error) {
	out := &errorCodes{map[string][]string{}, map[string]commonErrors{}, map[string]map[string]map[string][]string{}}
	if err := out.scanFiles(src.root); err != nil {
		return nil, err
	}
	for _, api := range apis {
		ops := map[string]map[string][]string{}
		files, err := src.list("api/" + api + "/*.yaml")
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
	for _, o := range overlays {
		if err := out.add(o); err != nil {
			return nil, fmt.Errorf("overlay %s: %w", o.file, err)
		}
	}
	return out, nil
}

// add adds the error codes of an overlay. A code that is already there is an
// error, because the overlay is out of date.
func (e *errorCodes) add(o *overlay) error {
	if o.Errors == nil {
		return nil
	}
	for api, common := range o.Errors.Common {
		if _, ok := e.Common[api]; ok || e.Operations[api] == nil {
			return fmt.Errorf("%s: not an API, or not the only list for it", api)
		}
		e.Common[api] = common
		for _, code := range common.Codes {
			e.inProse(code)
		}
	}
	for api, ops := range o.Errors.Operations {
		for id, statuses := range ops {
			if e.Operations[api] == nil {
				return fmt.Errorf("no API %q", api)
			}
			if e.Operations[api][id] == nil {
				e.Operations[api][id] = map[string][]string{}
			}
			have := e.Operations[api][id]
			for status, codes := range statuses {
				for _, code := range codes {
					if slices.Contains(have[status], code) {
						return fmt.Errorf("stale: %s already has %s %s", id, status, code)
					}
					have[status] = append(have[status], code)
					e.inProse(code)
				}
				slices.Sort(have[status])
			}
		}
	}
	return nil
}

// inProse records a code that is not in the data folder.
func (e *errorCodes) inProse(code string) {
	if e.Codes[code] == nil {
		e.Codes[code] = []string{"prose"}
	}
}

// scanFiles finds every error code in the data folder.
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
			at := position{file: file}.member("paths", path, method)
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

func operationCodes(src *source, at position, op object) (map[string][]string, error) {
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
		_, r, err := src.deref(at.member("responses", status), responses[status])
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
