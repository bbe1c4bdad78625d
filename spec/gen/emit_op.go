// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// callers are, by kind of authentication, the parameter through which a
// server's method gets the caller, and the function of package api that
// provides it.
var callers = map[string][2]string{
	"AuthNone":       {"", "api.Nobody"},
	"AuthHomeserver": {"", "api.AnyHomeserver"},
	"AuthOptional":   {"who *api.Caller, ", "(*api.Exchange).OptionalUser"},
	"AuthUser":       {"who api.Caller, ", "(*api.Exchange).User"},
	"AuthAppService": {"who api.Caller, ", "(*api.Exchange).AppService"},
	"AuthIdentity":   {"who api.Caller, ", "(*api.Exchange).Identity"},
	"AuthServer":     {"origin id.ServerName, ", "(*api.Exchange).Server"},
}

// response returns the type of a method's response, without the star.
func (o *op) response() string {
	switch {
	case o.result != nil:
		return o.name + "Result"
	case o.empty:
		return "api.Empty"
	}
	return o.name + "Response"
}

func (o *op) returns() string {
	if o.result != nil {
		return o.response()
	}
	return "*" + o.response()
}

// writeServer writes the interface for one file of the specification and the
// function that mounts it.
func (p *pkg) writeServer(s *source, file string) {
	name := goName(file)
	var ops []*op
	for _, o := range p.ops {
		if o.File == file {
			ops = append(ops, o)
		}
	}
	s.p("// %s serves the operations of %s.yaml.\ntype %s interface {", name, file, name)
	for _, o := range ops {
		s.p("// %s", strings.Join(p.docLines(o), "\n// "))
		s.p("%s(ctx context.Context, %sreq *%sRequest) (%s, error)", o.name, callers[o.auth][0], o.name, o.returns())
	}
	s.p("}\n\n// Mount%s mounts the operations of %s.yaml. Where s is nil they are not\n// served yet: each answers so, to whom may call it.", name, file)
	s.p("func Mount%s(r *api.Router, s %s) {\nif !api.Serves(s, %q) {", name, name, name)
	for _, o := range ops {
		read := "api.ReadNothing"
		if o.reads() {
			read = "(*" + o.name + "Request).read"
		}
		s.p("r.Add(&ops.%s%s, api.ServeUnfinished(%s, %s))", p.prefix, o.name, callers[o.auth][1], read)
	}
	s.p("return\n}")
	for _, o := range ops {
		serve, read, call := "ServeJSON", "nil", "s."+o.name
		if o.result != nil {
			serve = "ServeResult"
		}
		if o.reads() {
			read = "(*" + o.name + "Request).read"
		}
		if callers[o.auth][0] == "" {
			call = "api.Anyone(" + call + ")"
		}
		s.p("r.Add(&ops.%s%s, api.%s(%s, %s, %s))", p.prefix, o.name, serve, callers[o.auth][1], read, call)
	}
	s.p("}\n")
}

// docLines returns the lines of the comment above an operation's method.
func (p *pkg) docLines(o *op) []string {
	lines := []string{fmt.Sprintf("%s is %s %s.", o.name, o.method, o.path)}
	kind, name, _ := strings.Cut(o.When, ":")
	switch kind {
	case "body":
		lines = append(lines, fmt.Sprintf("It takes the requests whose body has the member %s.", name))
	case "query":
		lines = append(lines, fmt.Sprintf("It takes the requests with the query parameter %s.", name))
	}
	if o.Deprecated {
		lines = append(lines, "It is deprecated by the specification.")
	}
	return append(lines, p.link(o))
}

func (o *op) reads() bool { return len(o.params) > 0 || o.body != nil || o.upload }

// writeOperation writes the code of one operation: the request with its decoder
// and encoder, the response, and the client's method.
func (p *pkg) writeOperation(s *source, o *op) {
	p.writeRequest(s, o)
	if o.reads() {
		o.writeRead(s)
		o.writeWrite(s)
	}
	switch {
	case o.result != nil:
		o.writeResults(s)
	case !o.empty:
		o.writeResponse(s)
	}
	p.writeCall(s, o)
}

func (p *pkg) writeRequest(s *source, o *op) {
	s.p("// %sRequest is the input of %s %s.\ntype %sRequest struct {", o.name, o.method, o.path, o.name)
	for _, q := range o.params {
		typ := q.typ.optional()
		if q.Required || q.In == "path" {
			typ = q.typ.String()
		}
		note := notes(q.Added, q.Deprecated, q.Schema.Default)
		if note != "" {
			note = ", " + note
		}
		s.p("%s %s // %s%s", q.name, typ, q.In, note)
	}
	switch {
	case o.upload:
		s.p("Size int64 // as announced, negative if it was not\nBody io.Reader")
	case o.body == nil:
	case o.RequestBody.Required:
		s.p("Body %s", o.body)
	default:
		s.p("Body %s // optional", o.bodyType())
	}
	s.p("}\n")
}

// bodyType returns the type of an optional body.
func (o *op) bodyType() string {
	if o.body.kind == kObject {
		return "*" + o.body.String()
	}
	return o.body.String()
}

// writeRead writes the method that decodes a request.
func (o *op) writeRead(s *source) {
	s.p("func (r *%sRequest) read(x *api.Exchange) (err error) {", o.name)
	query := false
	for _, q := range o.params {
		switch q.In {
		case "path":
			s.p("if r.%s, err = %s; err != nil {\nreturn err\n}", q.name, q.readPath())
		case "query":
			if !query {
				s.p("q := x.Query()")
				query = true
			}
			s.p("r.%s = %s", q.name, o.readQuery(q))
		case "header":
			s.p("r.%s = api.Header(x, %q)", q.name, q.Name)
		}
	}
	switch {
	case query && o.body == nil && !o.upload:
		s.p("return q.Err()\n}\n")
		return
	case query:
		s.p("if err = q.Err(); err != nil {\nreturn err\n}")
	}
	switch {
	case o.upload:
		s.p("r.Size = x.R.ContentLength\nr.Body, _, err = x.Stream()\nreturn err")
	case o.body == nil:
		s.p("return nil")
	case o.body.kind == kObject && o.RequestBody.Required:
		s.p("return x.Body(&r.Body, true)")
	case o.body.kind == kObject:
		s.p("return api.OptionalBody(x, &r.Body)")
	default:
		s.p("return x.Body(api.Into(&r.Body, %s), %t)", o.body.decoder(true), o.RequestBody.Required)
	}
	s.p("}\n")
}

// parser returns the function that parses a parameter; empty for plain strings.
func (t *goType) parser() string {
	switch t.kind {
	case kID:
		return "id.Parse" + t.id
	case kEnum:
		return "api.ParseEnum[" + t.String() + "]"
	}
	return ""
}

func (q *param) readPath() string {
	if parse := q.typ.parser(); parse != "" {
		return fmt.Sprintf("api.PathID(&x.Params, %d, %s)", q.index, parse)
	}
	return fmt.Sprintf("x.Params.Path(%d)", q.index)
}

func (o *op) readQuery(q *param) string {
	single := map[kind]string{kString: "String", kInt: "Int", kFloat: "Float", kBool: "Bool"}
	get := ""
	switch t := q.typ; {
	case t.kind == kMap:
		var known []string
		for _, other := range o.params {
			if other.In == "query" && other != q {
				known = append(known, fmt.Sprintf("%q", other.Name))
			}
		}
		return "q.Others(" + strings.Join(known, ", ") + ")"
	case t.kind == kList && t.elem.parser() != "":
		get = fmt.Sprintf("api.QueryIDs(q, %q, %s)", q.Name, t.elem.parser())
	case t.kind == kList:
		get = fmt.Sprintf("q.Strings(%q)", q.Name)
	case t.parser() != "":
		get = fmt.Sprintf("api.QueryID(q, %q, %s)", q.Name, t.parser())
	default:
		get = fmt.Sprintf("q.%s(%q)", single[t.kind], q.Name)
	}
	switch {
	case q.Required && q.typ.kind == kList:
		return fmt.Sprintf("api.RequiredList(q, %q, %s)", q.Name, get)
	case q.Required:
		return fmt.Sprintf("api.Required(q, %q, %s)", q.Name, get)
	}
	return get
}

// writeResponse declares the type of an operation's single JSON response.
func (o *op) writeResponse(s *source) {
	name := o.name + "Response"
	if o.answer.kind != kObject || o.answer.object.name != name {
		writeNamed(s, name, fmt.Sprintf("answers %s %s.", o.method, o.path), o.answer)
	}
}

// writeNamed declares a named type: an alias for a struct, a struct around
// other types.
func writeNamed(s *source, name, doc string, t *goType) {
	if t.kind == kObject {
		s.p("// %s %s\ntype %s = %s\n", name, doc, name, t)
		return
	}
	s.p("// %s %s\ntype %s struct{ Body %s }\n", name, doc, name, t)
	s.p("// UnmarshalJSONFrom reads the value.\nfunc (v *%s) UnmarshalJSONFrom(dec *jsontext.Decoder) error {\nreturn %s\n}\n", name, t.call("&v.Body", false))
	s.p("// AppendJSON writes the value.\nfunc (v *%s) AppendJSON(b []byte) []byte {", name)
	s.appendValue("v.Body", t, 0)
	s.p("return b\n}\n")
}

// writeResults writes the sealed interface of an operation with several
// successful responses.
func (o *op) writeResults(s *source) {
	names := make([]string, len(o.result))
	for i, r := range o.result {
		names[i] = "[*" + r.name + "]"
	}
	seal := strings.ToLower(o.name[:1]) + o.name[1:] + "Result"
	s.p("// %sResult answers %s %s: %s.\ntype %sResult interface {\napi.Responder\n%s()\n}\n",
		o.name, o.method, o.path, strings.Join(names, " or "), o.name, seal)
	for _, r := range o.result {
		switch {
		case r.redirect:
			s.p("// %s names another place.\ntype %s struct{ api.Redirection }\n", r.name, r.name)
		case r.media:
			s.p("// %s is media.\ntype %s struct{ api.Media }\n", r.name, r.name)
		case r.multipart:
			s.p("// %s is media between servers.\ntype %s struct{ api.FederatedMedia }\n", r.name, r.name)
		case r.empty:
			s.p("// %s says nothing but its status, %d.\ntype %s struct{}\n", r.name, r.status, r.name)
			s.p("// Respond answers.\nfunc (*%s) Respond(x *api.Exchange) error { return x.Reply(%d, &api.Empty{}) }\n", r.name, r.status)
		default:
			s.p("// Respond answers.\nfunc (v *%s) Respond(x *api.Exchange) error { return x.Reply(%d, v) }\n", r.name, r.status)
		}
		s.p("func (*%s) %s() {}\n", r.name, seal)
	}
}
