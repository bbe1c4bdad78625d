// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// writeWrite writes the method that encodes a request, for clients.
func (o *op) writeWrite(s *source) {
	s.p("func (r *%sRequest) write(o *api.Outgoing) error {", o.name)
	var path []string
	for _, q := range o.params {
		value := "r." + q.name
		switch q.In {
		case "path":
			if q.typ.kind != kString {
				value = "string(" + value + ")"
			}
			path = append(path, value)
		case "query":
			s.p("%s", q.writeQuery(value))
		case "header":
			if q.Required {
				value = "api.Some(" + value + ")"
			}
			s.p("o.SetHeader(%q, %s)", q.Name, value)
		}
	}
	if path != nil {
		s.p("o.Params = []string{%s}", strings.Join(path, ", "))
	}
	switch {
	case o.upload:
		s.p("return o.ReadBody(r.Body)")
	case o.body == nil:
		s.p("return nil")
	default:
		if !o.RequestBody.Required {
			s.p("if r.Body == nil {\nreturn nil\n}")
		}
		if o.body.kind == kObject {
			s.p("o.Body = r.Body.AppendJSON(nil)\nreturn nil")
			break
		}
		if f := appenders[o.body.kind]; f != "" {
			s.p("o.Body = %s(nil, r.Body)\nreturn nil", f)
			break
		}
		s.p("b := o.Body")
		s.appendValue("r.Body", o.body, 0)
		s.p("o.Body = b\nreturn nil")
	}
	s.p("}\n")
}

func (q *param) writeQuery(value string) string {
	f := map[kind]string{kInt: "o.SetInt", kFloat: "o.SetFloat", kBool: "o.SetBool"}[q.typ.kind]
	switch q.typ.kind {
	case kMap:
		return fmt.Sprintf("o.SetAll(%s)", value)
	case kList:
		return fmt.Sprintf("api.SetStrings(o, %q, %s)", q.Name, value)
	case kString, kID, kEnum:
		f = "api.SetString"
	}
	if q.Required {
		value = "api.Some(" + value + ")"
	}
	if f == "api.SetString" {
		return fmt.Sprintf("api.SetString(o, %q, %s)", q.Name, value)
	}
	return fmt.Sprintf("%s(%q, %s)", f, q.Name, value)
}

// writeCall writes the client's method for an operation.
func (p *pkg) writeCall(s *source, o *op) {
	write := "nil"
	if o.reads() {
		write = "req.write"
	}
	arg := "req"
	if !o.reads() {
		arg = "_"
	}
	s.p("// %s calls %s %s.", o.name, o.method, o.path)
	s.p("func (c *Client) %s(ctx context.Context, %s *%sRequest) (%s, error) {", o.name, arg, o.name, o.returns())
	if o.result == nil {
		s.p("return api.CallJSON[%s](ctx, c.Doer, &ops.%s%s, %s)\n}\n", o.response(), p.prefix, o.name, write)
		return
	}
	s.p("in, err := api.Call(ctx, c.Doer, &ops.%s%s, %s)\nif err != nil {\nreturn nil, err\n}\nswitch {", p.prefix, o.name, write)
	for _, r := range o.result {
		switch {
		case r.redirect:
			s.p("case in.Status >= 300:\nreturn &%s{in.Redirection()}, nil", r.name)
		case r.media:
			s.p("case in.Status == %d:\nreturn &%s{in.Media()}, nil", r.status, r.name)
		case r.multipart:
			s.p("case in.Status == %d:\nm, err := in.FederatedMedia()\nif err != nil {\nreturn nil, err\n}\nreturn &%s{m}, nil", r.status, r.name)
		case r.empty:
			s.p("case in.Status == %d:\nreturn &%s{}, nil", r.status, r.name)
		default:
			s.p("case in.Status == %d:\nv := new(%s)\nif err := in.Decode(v); err != nil {\nreturn nil, err\n}\nreturn v, nil", r.status, r.name)
		}
	}
	s.p("}\nreturn nil, in.Unexpected()\n}\n")
}
