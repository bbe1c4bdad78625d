// SPDX-License-Identifier: Apache-2.0

package strict_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/server/strict"
	"touchstone.example/spec"
)

// FuzzJudge feeds any bytes to schemas of every kind. The judge must neither
// panic nor point at places that are not there.
func FuzzJudge(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `null`, `{"user_id":"@a:b"}`, `{"msgtype":"m.text","body":"x"}`, `{"pdus":[{}],"edus":[{"edu_type":"m.typing"}]}`,
		`{"one_time_keys":{"signed_curve25519:A":{"key":"k","signatures":{"@a:b":{"ed25519:A":"s"}}}}}`,
		`{"conditions":[{"kind":"event_property_is","key":"a","value":1e9999999}],"actions":["notify",{"set_tweak":"sound"}]}`,
		`{"a~b/c":{"":[1e-9999999,-0,1.0]}}`, `{"errcode":"M_UNKNOWN","error":"x"}`, `{"flows":[{"stages":[1]}]}`,
	} {
		for op := range uint8(6) {
			f.Add(op, []byte(seed))
		}
	}
	settings, err := strict.Resolve(strict.Strict, nil)
	require.NoError(f, err)
	ops := []*api.Operation{
		client("createRoom"), client("uploadKeys"), client("setPushRule"), client("sync"), client("deleteDevice"),
		{API: "fedapi", ID: "sendTransaction", Auth: api.AuthServer},
	}
	j, err := strict.New(strict.Config{Spec: spec.Files, Settings: settings, Answers: true, Measure: true})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		op := ops[int(which)%len(ops)]
		j.Log().Reset()
		_, _ = j.Request(op, func(string) string { return "" }, body)
		_ = j.Answer(op, 200, body)
		_ = j.Answer(op, 401, body)
		var whole any
		dec := json.NewDecoder(strings.NewReader(string(body)))
		dec.UseNumber()
		if dec.Decode(&whole) == nil {
			for _, v := range j.Log().All() {
				if v.Rule == "answer-error-shape" || v.Rule == "answer-errcode" || v.Keyword == "required" {
					continue // these name the member that should be there
				}
				require.True(t, exists(whole, v.Where.Pointer), "%s at %q in %q", v.Rule, v.Where.Pointer, body)
			}
		}
		_, _ = j.Request(client("sendMessage"), func(string) string { return "m.room.message" }, body)
		_, _ = j.Request(client("sendMessage"), func(string) string { return string(body) }, []byte(`{}`))
		_ = j.EDU("remote server", body)
		_ = j.PDU("remote server", "12", body)
	})
}

// exists follows a JSON pointer.
func exists(v any, pointer string) bool {
	if pointer == "" {
		return true
	}
	for _, name := range strings.Split(pointer, "/")[1:] {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		switch o := v.(type) {
		case map[string]any:
			e, ok := o[name]
			if !ok {
				return false
			}
			v = e
		case []any:
			if v = element(o, name); v == nil {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func element(list []any, name string) any {
	var i int
	if json.Unmarshal([]byte(name), &i) != nil || i < 0 || i >= len(list) {
		return nil
	}
	if list[i] == nil {
		return struct{}{} // null is an element too
	}
	return list[i]
}
