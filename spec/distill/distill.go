// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Version is the release that spec/ is pinned to. A checkout does not contain
// its release, so an update to the next release starts with changing this line.
const Version = "v1.19"

// apis are the five APIs, named after the folders of their sources.
var apis = []string{"application-service", "client-server", "identity", "push-gateway", "server-server"}

// object is a decoded YAML mapping.
type object = map[string]any

// Output is the distilled files: contents by path below spec/.
type Output map[string][]byte

// Distill reads the checkout and the overlays, and returns the distilled files.
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
	if t.events, err = distillSchemas(src, "event-schemas/schema/*.yaml"); err != nil {
		return nil, err
	}
	if err := t.apply(overlays); err != nil {
		return nil, err
	}
	docs, err := t.assemble(merges(overlays))
	if err != nil {
		return nil, err
	}
	errs, err := distillErrors(src, overlays)
	if err != nil {
		return nil, err
	}
	files := map[string]any{"errors.json": errs}
	for name, doc := range docs {
		files[name+".json"] = doc
	}
	for name, schema := range t.events {
		files["events/"+name+".json"] = schema
	}
	for folder, pattern := range map[string]string{
		"edus": "api/server-server/definitions/event-schemas/*.yaml",
		"pdus": "api/server-server/definitions/pdu_v*.yaml",
	} {
		schemas, err := distillSchemas(src, pattern)
		if err != nil {
			return nil, err
		}
		for name, schema := range schemas {
			files[folder+"/"+name+".json"] = schema
		}
	}
	return encode(files)
}

func encode(files map[string]any) (Output, error) {
	out := Output{"VERSION": []byte(Version + "\n"), "NOTICE": []byte(notice)}
	for name, v := range files {
		b, err := marshal(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[Version+"/"+name] = b
	}
	return out, nil
}

// Write replaces the folder of the release below dir.
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
