// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"slices"
	"strings"
)

// maxLinear is the size up to which a list is searched without an index.
const maxLinear = 8

// A set is a list that may be absent. A nil set admits everything and contains nothing;
// an empty one admits nothing.
type set[T ~string] struct {
	list  []T
	index map[T]struct{}
}

func newSet[T ~string](list []T) *set[T] {
	s := &set[T]{list: list}
	if len(list) > maxLinear {
		s.index = make(map[T]struct{}, len(list))
		for _, v := range list {
			s.index[v] = struct{}{}
		}
	}
	return s
}

func (s *set[T]) has(v T) bool {
	if s == nil {
		return false
	}
	if s.index != nil {
		_, ok := s.index[v]
		return ok
	}
	return slices.Contains(s.list, v)
}

func (s *set[T]) admits(v T) bool { return s == nil || s.has(v) }

// patterns is a set of event types, some with wildcards.
type patterns struct {
	exact *set[string]
	globs []string
}

func newPatterns(list []string) *patterns {
	p := &patterns{}
	var exact []string
	for _, t := range list {
		if strings.Contains(t, "*") {
			p.globs = append(p.globs, t)
		} else {
			exact = append(exact, t)
		}
	}
	p.exact = newSet(exact)
	return p
}

func (p *patterns) match(typ string) bool {
	if p == nil {
		return false
	}
	return p.exact.has(typ) || slices.ContainsFunc(p.globs, func(g string) bool { return glob(g, typ) })
}

func (p *patterns) admits(typ string) bool { return p == nil || p.match(typ) }

// glob reports whether s matches a pattern in which * matches any sequence of
// characters. The text between two stars is matched at its first occurrence.
func glob(pattern, s string) bool {
	start, rest, found := strings.Cut(pattern, "*")
	s, ok := strings.CutPrefix(s, start)
	if !ok || !found {
		return ok && s == ""
	}
	for {
		part, more, found := strings.Cut(rest, "*")
		if !found {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], more
	}
}
