// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An op is an operation to generate.
type op struct {
	*operation
	name   string // in Go
	auth   string // constant of package api
	params []*param
	body   *goType // nil: none
	upload bool    // the body is bytes of any media type
	answer *goType // type of the single JSON response; nil for no content, or if results is used
	empty  bool    // the response has no content of interest
	result []*result
}

// A param is a path, query or header parameter of an operation.
type param struct {
	*parameter
	name  string // in Go
	typ   *goType
	index int // of a path parameter
}

// A result is one of several successful responses.
type result struct {
	name      string
	status    int
	statuses  []int   // of a redirect
	json      *goType // the JSON body, or nil
	empty     bool
	media     bool // bytes
	multipart bool // federation's media
	redirect  bool
	disposed  bool // media with a Content-Disposition header
}

var auths = map[string]string{
	"accessTokenBearer": "AuthUser", "accessTokenQuery": "AuthUser",
	"appserviceAccessTokenBearer": "AuthAppService", "appserviceAccessTokenQuery": "AuthAppService",
	"signedRequest": "AuthServer", "homeserverAccessToken": "AuthHomeserver",
}

// operation makes an op from an operation.
func (p *pkg) operation(o *operation) *op {
	out := &op{operation: o, name: goName(o.ID), auth: p.authOf(o)}
	in := &object{name: out.name + "Body", fixed: true, short: out.name,
		doc: fmt.Sprintf("is the body of %s %s.", o.method, o.path)}
	p.parameters(out)
	if o.RequestBody != nil {
		switch s := o.RequestBody.json(); {
		case s != nil:
			out.body = p.typ(s, schemaContext{owner: in, file: o.File, input: true})
			if len(o.RequestBody.Content) != 1 {
				p.fail("%s: several types of request body", o.ID)
			}
		case o.RequestBody.Content["application/octet-stream"] != (media{}):
			out.upload = true
		default:
			p.fail("%s: a body that is neither JSON nor bytes", o.ID)
		}
	}
	p.answers(out)
	return out
}

func (p *pkg) authOf(o *operation) string {
	kind := ""
	for _, s := range o.Security {
		if len(s) == 0 {
			return "AuthOptional"
		}
		for name := range s {
			got := auths[name]
			if p.api.pkg == "identityapi" && got == "AuthUser" {
				got = "AuthIdentity"
			}
			if got == "" || kind != "" && got != kind {
				p.fail("%s: security scheme %q", o.ID, name)
			}
			kind = got
		}
	}
	if kind == "" {
		return "AuthNone"
	}
	return kind
}

var segments = regexp.MustCompile(`\{(\w+)\}`)

func (p *pkg) parameters(out *op) {
	var order []string
	for _, m := range segments.FindAllStringSubmatch(out.path, -1) {
		order = append(order, m[1])
	}
	owner := &object{name: out.name + "Request", fixed: true, short: out.name}
	for _, q := range out.Parameters {
		r := &param{parameter: q, name: goName(q.Name)}
		r.typ = p.typ(q.Schema, schemaContext{owner: owner, part: r.name, file: out.File, input: true})
		if q.In == "path" {
			if r.index = slices.Index(order, q.Name); r.index < 0 {
				p.fail("%s: parameter %s is not in the path", out.ID, q.Name)
			}
			if r.typ.kind > kString && r.typ.kind != kID && r.typ.kind != kEnum {
				p.fail("%s: path parameter %s is no string", out.ID, q.Name)
			}
		}
		if r.name == "Body" || slices.ContainsFunc(out.params, func(o *param) bool { return o.name == r.name }) {
			p.fail("%s: two parameters are called %s", out.ID, r.name)
		}
		out.params = append(out.params, r)
	}
	for i, name := range order {
		if !slices.ContainsFunc(out.params, func(q *param) bool { return q.In == "path" && q.index == i }) {
			p.fail("%s: path parameter %s is not described", out.ID, name)
		}
	}
	rank := map[string]int{"path": 0, "query": 1, "header": 2}
	slices.SortStableFunc(out.params, func(a, b *param) int {
		if d := rank[a.In] - rank[b.In]; d != 0 {
			return d
		}
		return a.index - b.index
	})
}

// answers reads the successful responses: 2xx and 3xx.
func (p *pkg) answers(out *op) {
	var codes []string
	for _, code := range slices.Sorted(maps.Keys(out.Responses)) {
		if code[0] == '2' || code[0] == '3' {
			codes = append(codes, code)
		}
	}
	owner := &object{name: out.name + "Response", fixed: true, short: out.name, answer: true,
		doc: fmt.Sprintf("answers %s %s.", out.method, out.path)}
	if len(codes) == 1 && codes[0] == "200" {
		r := out.Responses["200"]
		if s := r.json(); s != nil || len(r.Content) == 0 {
			out.empty = p.isEmptyResponse(out, s)
			if !out.empty {
				out.answer = p.typ(s, schemaContext{owner: owner, file: out.File})
			}
			return
		}
	}
	for _, code := range codes {
		p.result(out, code, out.Responses[code])
	}
	if len(codes) == 0 {
		p.fail("%s: no success", out.ID)
	}
}

// result adds one of several successful responses. All redirects together are
// one result.
func (p *pkg) result(out *op, code string, r *body) {
	status, err := strconv.Atoi(strings.ReplaceAll(code, "XX", "00"))
	if err != nil {
		p.fail("%s: status %s", out.ID, code)
	}
	if code[0] == '3' {
		for _, have := range out.result {
			if have.redirect {
				have.statuses = append(have.statuses, status)
				return
			}
		}
		out.result = append(out.result, &result{name: out.name + "Redirect", redirect: true, statuses: []int{status}})
		return
	}
	res := &result{name: out.name + strings.ReplaceAll(http.StatusText(status), " ", ""), status: status}
	out.result = append(out.result, res)
	switch s := r.json(); {
	case s != nil:
		if res.empty = p.isEmptyResponse(out, s); !res.empty {
			res.json = p.typ(s, schemaContext{owner: &object{name: res.name, fixed: true, short: out.name,
				doc: fmt.Sprintf("answers %s %s.", out.method, out.path)}, file: out.File})
		}
	case len(r.Content) == 0:
		res.empty = true
	default:
		_, res.multipart = r.Content["multipart/mixed"]
		res.media = !res.multipart
		res.disposed = r.Headers["Content-Disposition"] != nil
	}
}

// isEmptyResponse reports whether a response is an empty object. The specification
// describes these in the same way as responses with arbitrary members; only
// operations that read data have the latter.
func (p *pkg) isEmptyResponse(o *op, s *schema) bool {
	key := p.api.pkg + "." + o.ID
	if s == nil {
		return true
	}
	m := p.merged(s)
	if len(m.Properties)+len(m.PatternProperties)+len(m.OneOf)+len(m.AnyOf) > 0 || m.AdditionalProperties != nil || m.Items != nil {
		return false
	}
	return o.method != http.MethodGet && !nonEmptyResponses[key] || emptyResponses[key]
}

// nonEmptyResponses are operations that do not read data but whose response, an object
// without described members, has members.
var nonEmptyResponses = map[string]bool{"fedapi.askPolicyServerToSign": true}

// emptyResponses are operations that read data but respond with an empty object.
var emptyResponses = map[string]bool{
	"asapi.queryUserById": true, "asapi.queryRoomByAlias": true, "identityapi.pingV2": true,
}
