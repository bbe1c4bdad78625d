// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
)

// String returns the type in Go syntax.
func (t *goType) String() string {
	switch t.kind {
	case kString:
		return "string"
	case kInt:
		return "int64"
	case kFloat:
		return "float64"
	case kBool:
		return "bool"
	case kID:
		return "id." + t.id
	case kEnum:
		return t.enum.name
	case kObject:
		return t.object.name
	case kList:
		return "[]" + t.elem.String()
	case kMap:
		return "map[" + t.key.String() + "]" + t.elem.String()
	case kNull:
		return "api.Null[" + t.elem.String() + "]"
	}
	return "api.Raw"
}

// nilable reports whether nil can represent an absent value of the type.
func (t *goType) nilable() bool {
	return t.kind == kRaw || t.kind == kOpen || t.kind == kList || t.kind == kMap
}

// optional returns the type of a member that may be absent.
func (t *goType) optional() string {
	switch {
	case t.nilable():
		return t.String()
	case t.kind == kObject:
		return "*" + t.String()
	}
	return "api.Opt[" + t.String() + "]"
}

func (f *field) goType() string {
	if f.required {
		return f.typ.String()
	}
	return f.typ.optional()
}

// writeObject writes a struct with its decoder and encoder.
func writeObject(s *source, o *object) {
	doc := o.doc
	if doc == "" && o.parent != nil {
		doc = "is a part of " + o.parent.name + "."
	}
	if doc == "" {
		doc = "is a schema that several places share."
	}
	s.p("// %s %s\ntype %s struct {", o.name, doc, o.name)
	for _, f := range o.fields {
		tag := f.json
		if !f.required {
			tag += ",omitzero"
		}
		note := ""
		if f.note != "" {
			note = " // " + f.note
		}
		s.p("%s %s `json:%q`%s", f.name, f.goType(), tag, note)
	}
	if o.extra != nil {
		s.p("Extra map[string]%s `json:\",embed\"` // further members", o.extra)
	}
	s.p("}\n")
	writeDecoder(s, o)
	writeEncoder(s, o)
}

// members returns the fields, the required ones first.
func (o *object) members() (list []*field, required int) {
	list = slices.Clone(o.fields)
	slices.SortStableFunc(list, func(a, b *field) int {
		switch {
		case a.required == b.required:
			return 0
		case a.required:
			return -1
		}
		return 1
	})
	for _, f := range list {
		if f.required {
			required++
		}
	}
	return list, required
}

func writeDecoder(s *source, o *object) {
	list, required := o.members()
	names := make([]string, len(list))
	for i, f := range list {
		names[i] = fmt.Sprintf("%q", f.json)
	}
	table := "membersOf" + o.name
	s.p("var %s = []string{%s}\n", table, strings.Join(names, ", "))
	s.p("// UnmarshalJSONFrom reads and checks the object.")
	s.p("func (v *%s) UnmarshalJSONFrom(dec *jsontext.Decoder) error {", o.name)
	if o.extra != nil {
		s.p("return api.DecodeOpenObject(dec, %s, %d, &v.Extra, %s, func(i int) error {", table, required, o.extra.decoder(o.input))
	} else {
		s.p("return api.DecodeObject(dec, %s, %d, func(i int) error {", table, required)
	}
	s.p("switch i {")
	for i, f := range list {
		if i == len(list)-1 {
			s.p("default: // %s", f.json)
		} else {
			s.p("case %d: // %s", i, f.json)
		}
		s.p("%s", f.read(o.input))
	}
	s.p("}\n})\n}\n")
}

// read returns the statement that decodes a member.
func (f *field) read(input bool) string {
	to := "v." + f.name
	switch t := f.typ; {
	case t.kind == kObject && f.required:
		return "return " + to + ".UnmarshalJSONFrom(dec)"
	case t.kind == kObject:
		return to + " = new(" + t.String() + ")\nreturn " + to + ".UnmarshalJSONFrom(dec)"
	case f.required || t.nilable():
		call := t.call("&"+to, input)
		if t.counted {
			return fmt.Sprintf("err := %s\nreturn api.DecodeCount(dec, err, len(%s), %d, %d)", call, to, t.least, t.most)
		}
		return "return " + call
	default:
		return fmt.Sprintf("return api.DecodeOpt(&%s, dec, %s)", to, t.decoder(input))
	}
}

// call returns an expression that decodes a value into the variable whose
// address is to.
func (t *goType) call(to string, input bool) string {
	switch t.kind {
	case kList:
		return fmt.Sprintf("api.DecodeList(%s, dec, %s)", to, t.elem.decoder(input))
	case kMap:
		key := "api.AnyKey"
		if t.key.kind == kID {
			key = "id.Parse" + t.key.id
		}
		return fmt.Sprintf("api.DecodeMap(%s, dec, %s, %s)", to, key, t.elem.decoder(input))
	case kNull:
		return fmt.Sprintf("api.DecodeNull(%s, dec, %s)", to, t.elem.decoder(input))
	case kRaw:
		if t.kinds != "" {
			return fmt.Sprintf("api.DecodeRawOf(%s, dec, `%s`)", to, t.kinds)
		}
	}
	return t.decoder(input) + "(" + to + ", dec)"
}

// decoder returns a function that decodes a value of the type.
func (t *goType) decoder(input bool) string {
	switch t.kind {
	case kString:
		return "api.DecodeString"
	case kInt:
		return "api.DecodeInt"
	case kFloat:
		return "api.DecodeFloat"
	case kBool:
		return "api.DecodeBool"
	case kOpen:
		return "api.DecodeRawObject"
	case kEnum:
		if input { // enums in data from outside accept unknown values
			return "api.DecodeEnum"
		}
		return "api.DecodeString"
	case kID:
		return "api.DecodeID"
	case kObject:
		return "(*" + t.String() + ").UnmarshalJSONFrom"
	case kRaw:
		if t.kinds == "" {
			return "api.DecodeRaw"
		}
	}
	return fmt.Sprintf("func(v *%s, dec *jsontext.Decoder) error {\nreturn %s\n}", t, t.call("v", input))
}

func writeEncoder(s *source, o *object) {
	s.p("// AppendJSON writes the object.")
	s.p("func (v *%s) AppendJSON(b []byte) []byte {\nb = append(b, '{')", o.name)
	for _, f := range o.fields {
		value, then := "v."+f.name, ""
		switch {
		case f.required:
		case f.typ.nilable(), f.typ.kind == kObject:
			then = "if " + value + " != nil {\n"
		default:
			then = "if " + value + ".Set {\n"
			value += ".Value"
		}
		s.WriteString(then)
		s.p("b = api.AppendKey(b, `%q:`)", f.json)
		s.appendValue(value, f.typ, 0)
		if then != "" {
			s.p("}")
		}
	}
	if o.extra != nil {
		s.appendMembers("v.Extra", &goType{kind: kMap, key: &goType{kind: kString}, elem: o.extra}, 0)
	}
	s.p("return append(b, '}')\n}\n")
}

// appendValue writes the code that encodes the value of the addressable
// expression e.
func (s *source) appendValue(e string, t *goType, depth int) {
	f := appenders[t.kind]
	if t.kind == kList {
		switch t.elem.kind {
		case kString, kID, kEnum:
			f = "api.AppendStrings"
		case kRaw, kOpen:
			f = "api.AppendRaws"
		case kObject:
			f = "api.AppendList"
		}
	}
	switch {
	case f != "":
		s.p("b = %s(b, %s)", f, e)
	case t.kind == kObject:
		s.p("b = %s.AppendJSON(b)", e)
	case t.kind == kNull:
		s.p("if %s.Valid {", e)
		s.appendValue(e+".Value", t.elem, depth)
		s.p("} else {\nb = append(b, \"null\"...)\n}")
	case t.kind == kList:
		s.p("b = append(b, '[')\nfor i%d := range %s {\nb = api.AppendComma(b)", depth, e)
		s.appendValue(fmt.Sprintf("%s[i%d]", e, depth), t.elem, depth+1)
		s.p("}\nb = append(b, ']')")
	case t.kind == kMap:
		s.p("b = append(b, '{')")
		s.appendMembers(e, t, depth)
		s.p("b = append(b, '}')")
	}
}

// appenders are the functions that encode a value without parts.
var appenders = map[kind]string{
	kString: "api.AppendString", kID: "api.AppendString", kEnum: "api.AppendString", kInt: "api.AppendInt",
	kFloat: "api.AppendFloat", kBool: "api.AppendBool", kRaw: "api.AppendRaw", kOpen: "api.AppendObject",
}

// appendMembers writes the code that encodes a map with sorted keys.
func (s *source) appendMembers(e string, t *goType, depth int) {
	if f := appenders[t.elem.kind]; f != "" {
		s.p("b = api.AppendMembers(b, %s, %s)", e, f)
		return
	}
	s.p("{\nvar k%d [32]%s\nfor _, k := range api.Keys(k%d[:0], %s) {\nb = api.AppendName(b, k)\ne%d := %s[k]", depth, t.key, depth, e, depth, e)
	s.appendValue(fmt.Sprintf("e%d", depth), t.elem, depth+1)
	s.p("}\n}")
}

func writeEnum(s *source, e *enum) {
	list := strings.Join(e.values, ", ")
	if e.of != "" {
		s.p("// %s is one of %s, as in several APIs.\ntype %s = %s.%s\n\nconst (", e.name, list, e.name, e.of, e.name)
	} else {
		s.p("// %s is one of %s.\ntype %s string\n\nconst (", e.name, list, e.name)
	}
	names := make([]string, len(e.values))
	for i, v := range e.values {
		names[i] = e.name + goName(v)
		s.p("%s %s = %q", names[i], e.name, v)
	}
	s.p(")\n")
	if e.of != "" {
		return
	}
	s.p("// Valid reports whether the specification knows the value.\nfunc (v %s) Valid() bool {\nswitch v {\ncase %s:\nreturn true\n}\nreturn false\n}\n",
		e.name, strings.Join(names, ", "))
}
