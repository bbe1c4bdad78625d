// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"touchstone.example/api"
	"touchstone.example/generated/extraapi"
)

// maxCallers bounds how many pairs of operation and caller are told apart, and
// maxAgent how much of a User-Agent.
const (
	maxCallers = 20_000
	maxAgent   = 200
)

// Coverage counts which operations clients called, and how that went. Its zero
// value is ready.
type Coverage struct {
	mu     sync.Mutex
	counts map[caller]*calls
	lost   int64
}

type caller struct {
	op          *api.Operation
	user, agent string
}

type calls struct{ all, refused, clean int64 }

// Note counts one request. It is clean where it was not refused and broke no
// rule.
func (c *Coverage) Note(s api.Served) {
	key := caller{s.Op, s.Caller, s.Agent[:min(len(s.Agent), maxAgent)]}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.counts[key]
	if n == nil {
		if len(c.counts) >= maxCallers {
			c.lost++
			return
		}
		if c.counts == nil {
			c.counts = map[caller]*calls{}
		}
		n = &calls{}
		c.counts[key] = n
	}
	n.all++
	switch {
	case s.Status >= 400:
		n.refused++
	case s.Violations == 0:
		n.clean++
	}
}

// Clear forgets everything.
func (c *Coverage) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts, c.lost = nil, 0
}

// GetLabCoverage lists the operations that were called, by whom, and how often
// cleanly.
func (l *Lab) GetLabCoverage(_ context.Context, req *extraapi.GetLabCoverageRequest) (*extraapi.GetLabCoverageResponse, error) {
	c := l.Coverage
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &extraapi.GetLabCoverageResponse{Operations: []extraapi.LabOperation{}, Lost: c.lost}
	keys := slices.SortedFunc(maps.Keys(c.counts), func(a, b caller) int {
		return cmp.Or(cmp.Compare(a.op.API, b.op.API), cmp.Compare(a.op.ID, b.op.ID), cmp.Compare(a.user, b.user), cmp.Compare(a.agent, b.agent))
	})
	var last *api.Operation
	for _, k := range keys {
		if req.User.Set && k.user != string(req.User.Value) {
			continue
		}
		if k.op != last {
			last = k.op
			out.Operations = append(out.Operations, extraapi.LabOperation{
				Operation: k.op.API + "." + k.op.ID, Method: k.op.Method, Path: k.op.Path,
			})
		}
		n := c.counts[k]
		op := &out.Operations[len(out.Operations)-1]
		op.Callers = append(op.Callers, extraapi.LabCaller{User: k.user, Agent: k.agent, Calls: n.all, Refused: n.refused, Clean: n.clean})
	}
	return out, nil
}

// ClearLabCoverage forgets who called what.
func (l *Lab) ClearLabCoverage(context.Context, *extraapi.ClearLabCoverageRequest) (*api.Empty, error) {
	l.Coverage.Clear()
	return &api.Empty{}, nil
}
