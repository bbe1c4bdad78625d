// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// owners lists the packages in the order in which they own shared types. A type
// of several APIs is declared by the first of them, and is an alias in the
// others. Packages never import later ones.
var owners = []string{"pushapi", "identityapi", "asapi", "fedapi", "clientapi"}

// share finds the types that several APIs share, so that a server can pass a
// value from one API to another without copying it member by member. Types are
// shared if they have the same name and the same code, including their parts.
// The top-level type of a request or response is not shared, because it may
// change in one API only.
func share(all []*pkg) {
	byName := map[string]*pkg{}
	for _, p := range all {
		byName[p.api.pkg] = p
	}
	structs, enums := map[string]string{}, map[string]string{}
	for _, name := range owners {
		p := byName[name]
		for _, o := range p.objects {
			if o.answer || o.doc != "" {
				continue
			}
			code := o.code(map[*object]bool{})
			if o.owner = structs[code]; o.owner == "" {
				structs[code] = name
			}
		}
		for set, e := range p.enums {
			key := e.name + " " + set
			if e.of = enums[key]; e.of == "" {
				enums[key] = name
			}
		}
	}
}

// code returns the text of a struct and of all its parts, without comments.
// done are the structs that contain it.
func (o *object) code(done map[*object]bool) string {
	if done[o] {
		return o.name
	}
	done[o] = true
	defer delete(done, o)
	bare := *o
	bare.doc, bare.parent = "", nil
	s := &source{}
	writeObject(s, &bare)
	parts := map[string]bool{}
	for _, f := range o.fields {
		f.typ.parts(parts, done)
	}
	if o.extra != nil {
		o.extra.parts(parts, done)
	}
	return s.String() + strings.Join(slices.Sorted(maps.Keys(parts)), "")
}

// parts adds the code of the structs and enums that a type consists of.
func (t *goType) parts(all map[string]bool, done map[*object]bool) {
	switch t.kind {
	case kList, kMap, kNull:
		t.elem.parts(all, done)
	case kObject:
		all[t.object.code(done)] = true
	case kEnum:
		all[fmt.Sprintln(t.enum.name, t.enum.values)] = true
	}
}
