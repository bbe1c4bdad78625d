// SPDX-License-Identifier: Apache-2.0

package bodygen

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// An Operation is the request of an operation, as documented.
type Operation struct {
	Params   []Param
	Body     *Schema // nil: none
	Media    string  // content type of the body
	Required bool    // the body may not be absent
}

// A Param is a parameter of the path, query or header.
type Param struct {
	Name, In string
	Required bool
	Schema   *Schema
}

// Documents are the operations of all five APIs, keyed by "api operationId".
type Documents map[string]*Operation

var files = map[string]string{
	"client-server": "clientapi", "server-server": "fedapi", "application-service": "asapi",
	"identity": "identityapi", "push-gateway": "pushapi",
}

// Load reads the documents of the release in spec/VERSION; root is the spec
// folder.
func Load(root string) (Documents, error) {
	version, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return nil, err
	}
	docs := Documents{}
	for file, api := range files {
		name := filepath.Join(root, strings.Fields(string(version))[0], file+".json")
		if err := docs.read(name, api); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return docs, nil
}

type rawOperation struct {
	OperationID string
	Parameters  []struct {
		Name, In string
		Required bool
		Schema   any
	}
	RequestBody *struct {
		Required bool
		Content  map[string]struct{ Schema any }
	}
	Merged []rawOperation `json:"x-operations"`
}

func (d Documents) read(name, api string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var doc struct {
		Paths      map[string]map[string]rawOperation
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	r := reader{doc.Components.Schemas}
	for path, item := range doc.Paths {
		for _, op := range item {
			if len(op.Merged) == 0 {
				op.Merged = []rawOperation{op}
			}
			for _, one := range op.Merged {
				if d[api+" "+one.OperationID], err = r.operation(one); err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
			}
		}
	}
	return nil
}

func (r reader) operation(raw rawOperation) (*Operation, error) {
	op := &Operation{}
	for _, p := range raw.Parameters {
		s, err := r.schema(p.Schema)
		if err != nil {
			return nil, err
		}
		op.Params = append(op.Params, Param{Name: p.Name, In: p.In, Required: p.Required, Schema: s})
	}
	if raw.RequestBody == nil {
		return op, nil
	}
	op.Required = raw.RequestBody.Required
	for media, content := range raw.RequestBody.Content {
		s, err := r.schema(content.Schema)
		if err != nil {
			return nil, err
		}
		op.Media, op.Body = media, s
	}
	return op, nil
}
