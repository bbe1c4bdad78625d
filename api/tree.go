// SPDX-License-Identifier: Apache-2.0

package api

import (
	"slices"
	"strings"
)

// emptyLast is the one parameter that may be empty. The specification leaves
// out the slash before it as well: "If the state_key is an empty string, the
// trailing slash on this endpoint is optional."
//
// Spec: client-server PUT /rooms/{roomId}/state/{eventType}/{stateKey}.
const emptyLast = "{stateKey}"

// A node is one segment of the routes. Literals are preferred to parameters. If the
// rest of a path or the method does not match behind a literal, the parameter is tried.
// A parameter matches one segment that is not empty. No request is redirected: a path
// matches a route byte for byte, or it does not.
type node struct {
	literal map[string]*node
	param   *node // a parameter that must not be empty
	open    *node // a last parameter that may be empty
	ops     []route
}

// A route is an operation with its handler.
type route struct {
	op     *Operation
	handle Handler
}

// add returns the node of a path, creating it if needed.
func (n *node) add(path string) *node {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, seg := range segments {
		switch {
		case seg == emptyLast && i == len(segments)-1:
			n = child(&n.open)
		case strings.HasPrefix(seg, "{"):
			n = child(&n.param)
		default:
			if n.literal == nil {
				n.literal = map[string]*node{}
			}
			next := n.literal[seg]
			if next == nil {
				next = &node{}
				n.literal[seg] = next
			}
			n = next
		}
	}
	return n
}

func child(n **node) *node {
	if *n == nil {
		*n = &node{}
	}
	return *n
}

// A search looks for the node of one request.
type search struct {
	method string
	params *Params
	other  *node // the first node that fits the path but not the method
}

// find returns the node for an escaped path without its first slash, and
// collects its parameters in order. Every node is visited once at most.
func (n *node) find(path string, s *search) *node {
	seg, rest, more := strings.Cut(path, "/")
	if next := n.literal[seg]; next != nil {
		if found := next.behind(rest, more, s); found != nil {
			return found
		}
	}
	p := s.params
	mark := p.n
	if mark == len(p.raw) {
		return nil
	}
	p.raw[mark] = seg
	if n.param != nil && seg != "" {
		p.n = mark + 1
		if found := n.param.behind(rest, more, s); found != nil {
			return found
		}
	}
	if n.open != nil && !more {
		p.n = mark + 1
		if found := n.open.behind("", false, s); found != nil {
			return found
		}
	}
	p.n = mark
	return nil
}

// behind continues with the segments after n's.
func (n *node) behind(rest string, more bool, s *search) *node {
	if more {
		return n.find(rest, s)
	}
	for i := range n.ops {
		if n.ops[i].op.Method == s.method {
			return n
		}
	}
	if s.other == nil && len(n.ops) > 0 {
		s.other = n
	}
	return nil
}

// methods returns the methods that a node answers, for the Allow header.
func (n *node) methods() []string {
	out := []string{"OPTIONS"}
	for _, r := range n.ops {
		if !slices.Contains(out, r.op.Method) {
			out = append(out, r.op.Method)
		}
	}
	slices.Sort(out)
	return out
}
