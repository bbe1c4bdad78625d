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

// A node is one segment of the routes. Literals win over parameters; where
// the rest of a path does not fit behind a literal, the parameter is tried
// after it. A parameter takes one segment that is not empty, and no request is
// ever redirected: a path either is a route, byte for byte, or it is not.
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

// add finds or makes the node of a path and returns it.
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

// find returns the node for an escaped path without its first slash, and
// collects its parameters in order. Every node is visited once at most.
func (n *node) find(path string, p *Params) *node {
	seg, rest, more := strings.Cut(path, "/")
	if next := n.literal[seg]; next != nil {
		if found := next.end(rest, more, p); found != nil {
			return found
		}
	}
	mark := p.n
	if mark == len(p.raw) {
		return nil
	}
	p.raw[mark] = seg
	p.n++
	if n.param != nil && seg != "" {
		if found := n.param.end(rest, more, p); found != nil {
			return found
		}
		p.n = mark + 1
	}
	if n.open != nil && !more {
		return n.open
	}
	p.n = mark
	return nil
}

func (n *node) end(rest string, more bool, p *Params) *node {
	switch {
	case more:
		return n.find(rest, p)
	case len(n.ops) == 0:
		return nil
	}
	return n
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
