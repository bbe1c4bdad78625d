// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"context"
	"fmt"

	"github.com/go-json-experiment/json"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/extraapi"
	"touchstone.example/server/strict"
)

// selected reads which violations a request is about.
func (l *Lab) selected(user api.Opt[id.UserID], device, operation, rule api.Opt[string], since api.Opt[int64]) (strict.Query, error) {
	q := strict.Query{
		User: string(user.Value), Device: device.Value, Operation: operation.Value, Rule: rule.Value, Since: since.Value,
	}
	if since.Value < 0 {
		return q, api.InvalidParam("since: expected the seq of a violation, or the next of an earlier answer")
	}
	return q, nil
}

// GetLabViolations lists what clients did against the specification, oldest first.
func (l *Lab) GetLabViolations(_ context.Context, req *extraapi.GetLabViolationsRequest) (*extraapi.GetLabViolationsResponse, error) {
	q, err := l.selected(req.User, req.Device, req.Operation, req.Rule, req.Since)
	if err != nil {
		return nil, err
	}
	if limit := req.Limit; limit.Set && (limit.Value < 1 || limit.Value > strict.DefaultStored) {
		return nil, api.InvalidParam("limit: expected a number between 1 and %d", strict.DefaultStored)
	}
	q.Limit = int(req.Limit.Value)
	found, next := l.Violations.List(q)
	out := &extraapi.GetLabViolationsResponse{Violations: make([]extraapi.LabViolation, len(found)), Next: next, Lost: l.Violations.Lost()}
	for i := range found {
		if err := rewrite(&found[i], &out.Violations[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rewrite makes a value of the control plane's document of one that has the same
// JSON.
func rewrite(from, to any) error {
	text, err := json.Marshal(from, json.Deterministic(true))
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		return fmt.Errorf("write what the lab found: %w", err)
	}
	return nil
}

// ClearLabViolations forgets violations, and returns how many.
func (l *Lab) ClearLabViolations(_ context.Context, req *extraapi.ClearLabViolationsRequest) (*extraapi.ClearLabViolationsResponse, error) {
	q, err := l.selected(req.User, req.Device, req.Operation, req.Rule, req.Since)
	if err != nil {
		return nil, err
	}
	return &extraapi.ClearLabViolationsResponse{Cleared: int64(l.Violations.Clear(q))}, nil
}

// GetLabViolationsJUnit is the list in the form that CI services show as test
// results: each violation is a test that failed.
func (l *Lab) GetLabViolationsJUnit(_ context.Context, req *extraapi.GetLabViolationsJUnitRequest) (extraapi.GetLabViolationsJUnitResult, error) {
	q, err := l.selected(req.User, req.Device, req.Operation, req.Rule, req.Since)
	if err != nil {
		return nil, err
	}
	found, _ := l.Violations.List(q)
	text, err := junit(found)
	if err != nil {
		return nil, err
	}
	return &extraapi.GetLabViolationsJUnitOK{Media: api.Media{
		ContentType: "application/xml", Size: int64(len(text)), Body: bytes.NewReader(text),
	}}, nil
}

// GetLabViolationsSARIF is the list in the form that code review tools show.
func (l *Lab) GetLabViolationsSARIF(_ context.Context, req *extraapi.GetLabViolationsSARIFRequest) (*extraapi.GetLabViolationsSARIFResponse, error) {
	q, err := l.selected(req.User, req.Device, req.Operation, req.Rule, req.Since)
	if err != nil {
		return nil, err
	}
	found, _ := l.Violations.List(q)
	out := &extraapi.GetLabViolationsSARIFResponse{}
	return out, rewrite(sarif(found), out)
}
