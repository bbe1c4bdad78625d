// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"sync"

	"touchstone.example/api"
	"touchstone.example/generated/ops"
	"touchstone.example/server/strict"
	"touchstone.example/spec"
)

var operations = NewRoutes(ops.All)

// newJudge makes the validator of all responses, with the profile strict.
var newJudge = sync.OnceValues(func() (*strict.Judge, error) {
	settings, err := strict.Resolve(strict.Strict, nil)
	if err != nil {
		return nil, err
	}
	return strict.New(strict.Config{Spec: spec.Files, Settings: settings, Answers: true})
})

// judge validates a response against the schema of its operation.
func judge(op *api.Operation, status int, body []byte) error {
	j, err := newJudge()
	if err != nil {
		return err
	}
	return j.Answer(op, status, body)
}
