// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"net/http"
	"net/url"
	"strings"

	"touchstone.example/api"
)

// Routes finds the operation that a request calls. It is a second, simpler
// reading of the table than the server's router, on purpose: the two must
// agree.
type Routes struct{ ops []*api.Operation }

// NewRoutes reads a table of operations.
func NewRoutes(ops []*api.Operation) *Routes { return &Routes{ops: ops} }

// Find returns the operation, or nil where none has this method and path. path is
// escaped. Where operations share a route, their When decides.
func (r *Routes) Find(method, path string, query url.Values, body []byte) *api.Operation {
	var best *api.Operation
	for _, op := range r.ops {
		if op.Method != method || !pathMatches(op.Path, path) {
			continue
		}
		if op.When != "" && whenHolds(op.When, query, body) {
			return op
		}
		if best == nil || best.When != "" || (op.When == "" && literals(op.Path) > literals(best.Path)) {
			best = op
		}
	}
	return best
}

// Methods returns the methods that some operation has on a path template.
func (r *Routes) Methods(template string) map[string]bool {
	methods := map[string]bool{http.MethodOptions: true}
	for _, op := range r.ops {
		if pathMatches(op.Path, template) || pathMatches(template, op.Path) {
			methods[op.Method] = true
		}
	}
	return methods
}

func pathMatches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if strings.HasPrefix(want[i], "{") {
			continue
		}
		if unescaped, err := url.PathUnescape(got[i]); err != nil || unescaped != want[i] {
			return false
		}
	}
	return true
}

func literals(template string) int {
	n := 0
	for _, s := range strings.Split(template, "/") {
		if !strings.HasPrefix(s, "{") {
			n++
		}
	}
	return n
}

func whenHolds(when string, query url.Values, body []byte) bool {
	where, name, _ := strings.Cut(when, ":")
	if where == "query" {
		return query.Has(name)
	}
	return Parse(body).At(name).Exists()
}
