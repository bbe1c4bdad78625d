// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Version is the release that spec/ is pinned to. A checkout does not say
// which release it is, so moving to the next one starts by changing this line.
const Version = "v1.19"

// apis are the five APIs, by the folder that holds their sources.
var apis = []string{"application-service", "client-server", "identity", "push-gateway", "server-server"}

// object is a decoded YAML mapping.
type object = map[string]any

// Output holds the distilled files: their paths below spec/ and their bytes.
type Output map[string][]byte

// Distill reads the checkout and the overlays.
func Distill(from, overlayDir string) (Output, error) {
	src := newSource(filepath.Join(from, "data"))
	overlays, err := loadOverlays(overlayDir)
	if err != nil {
		return nil, err
	}
	t := &tree{docs: map[string]*document{}}
	for _, api := range apis {
		if t.docs[api], err = distillAPI(src, api); err != nil {
			return nil, fmt.Errorf("%s: %w", api, err)
		}
	}
	if t.events, err = distillEvents(src); err != nil {
		return nil, err
	}
	if err := t.apply(overlays); err != nil {
		return nil, err
	}
	docs, err := t.assemble(merges(overlays))
	if err != nil {
		return nil, err
	}
	errs, err := distillErrors(src)
	if err != nil {
		return nil, err
	}
	return encode(docs, t.events, errs)
}

func encode(docs, events map[string]object, errs any) (Output, error) {
	out := Output{"VERSION": []byte(Version + "\n"), "NOTICE": []byte(notice)}
	files := map[string]any{"errors.json": errs}
	for name, doc := range docs {
		files[name+".json"] = doc
	}
	for name, schema := range events {
		files["events/"+name+".json"] = schema
	}
	for name, v := range files {
		b, err := marshal(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[Version+"/"+name] = b
	}
	return out, nil
}

// Write replaces the release's folder below dir.
func (o Output) Write(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, Version)); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, o[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}

const notice = `The files in this folder's release directories are distilled from the Matrix
specification, https://github.com/matrix-org/matrix-spec, licensed under the
Apache License, Version 2.0.

Copyright 2014-2026 The Matrix.org Foundation C.I.C. and the authors named in
the specification's own source files.

Changed from the original: descriptions, summaries, titles and examples are
removed, references are bundled, security schemes are normalised, and the
corrections in overlay/ are applied.
`
