// SPDX-License-Identifier: Apache-2.0

package raw

import "github.com/go-json-experiment/json"

// An Object is a JSON object under construction.
type Object map[string]any

// Encode returns the object with its members sorted. Values that are no JSON panic.
func (o Object) Encode() Raw {
	b, err := json.Marshal(map[string]any(o), json.Deterministic(true))
	if err != nil {
		panic("raw: object does not encode: " + err.Error())
	}
	return b
}

// Members reads an object's members without their values' meaning: each is a Raw.
// No value reads as an empty object.
func Members(value Raw) (Object, error) {
	out := Object{}
	if len(value) == 0 {
		return out, nil
	}
	var m map[string]Raw
	if err := json.Unmarshal(value, &m); err != nil {
		return nil, err
	}
	for k, v := range m {
		out[k] = v
	}
	return out, nil
}
