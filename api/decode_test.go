// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// colour is a closed set, as the generator writes them.
type colour string

func (c colour) Valid() bool { return c == "red" || c == "green" }

// thing is an object, as the generator writes them.
type thing struct {
	Name    string
	Colour  Opt[colour]
	Count   Opt[int64]
	Weight  Opt[float64]
	Big     Opt[bool]
	Note    Opt[Null[string]]
	Tags    []string
	Ages    map[string]int64
	Action  Raw
	Content Raw
	Any     Raw
}

var membersOfThing = []string{"name", "colour", "count", "weight", "big", "note", "tags", "ages", "action", "content", "any"}

func (v *thing) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return DecodeObject(dec, membersOfThing, 1, func(i int) error {
		switch membersOfThing[i] {
		case "name":
			return DecodeString(&v.Name, dec)
		case "colour":
			return DecodeOpt(&v.Colour, dec, DecodeEnum)
		case "count":
			return DecodeOpt(&v.Count, dec, DecodeInt)
		case "weight":
			return DecodeOpt(&v.Weight, dec, DecodeFloat)
		case "big":
			return DecodeOpt(&v.Big, dec, DecodeBool)
		case "note":
			return DecodeOpt(&v.Note, dec, func(v *Null[string], dec *jsontext.Decoder) error {
				return DecodeNull(v, dec, DecodeString)
			})
		case "tags":
			err := DecodeList(&v.Tags, dec, DecodeString)
			return DecodeCount(dec, err, len(v.Tags), 0, 2)
		case "ages":
			return DecodeMap(&v.Ages, dec, shortKey, DecodeInt)
		case "action":
			return DecodeRawOf(&v.Action, dec, `"{`)
		case "content":
			return DecodeRawObject(&v.Content, dec)
		default:
			return DecodeRaw(&v.Any, dec)
		}
	})
}

func shortKey(s string) (string, error) {
	if len(s) > 3 {
		return "", errors.New("the key is long")
	}
	return s, nil
}

func TestDecode(t *testing.T) {
	var v thing
	require.NoError(t, decode([]byte(` {
		"unknown": {"a": [1, null]}, "n\u0061me": "Ann", "colour": "red", "count": 1e3, "weight": -0.5, "big": true,
		"note": null, "tags": [], "ages": {"a": 1, "b": -0}, "action": "go", "content": {"x": 9007199254740993}, "any": null
	} `), &v))
	require.Equal(t, thing{
		Name: "Ann", Colour: Some[colour]("red"), Count: Some[int64](1000), Weight: Some(-0.5), Big: Some(true),
		Note: Some(Null[string]{}), Tags: []string{}, Ages: map[string]int64{"a": 1, "b": 0},
		Action: Raw(`"go"`), Content: Raw(`{"x": 9007199254740993}`), Any: Raw("null"),
	}, v)
	v = thing{}
	require.NoError(t, decode([]byte(`{"name":"","note":"x"}`), &v))
	require.Equal(t, thing{Note: Some(Null[string]{Value: "x", Valid: true})}, v)
}

// TestDecodeRefuses has one body a row that is JSON, but not what the type
// takes, with the message that a client sees.
func TestDecodeRefuses(t *testing.T) {
	for body, msg := range map[string]string{
		`{}`:                               `Missing "name"`,
		`{"colour":"red"}`:                 `Missing "name"`,
		`[]`:                               `Expected an object`,
		`null`:                             `Expected an object`,
		`"name"`:                           `Expected an object`,
		`{"name":null}`:                    `Expected a string at "/name"`,
		`{"name":1}`:                       `Expected a string at "/name"`,
		`{"name":{"a":1}}`:                 `Expected a string at "/name"`,
		`{"colour":"blue"}`:                `Unknown value "blue" at "/colour"`,
		`{"colour":null}`:                  `Expected a string at "/colour"`,
		`{"count":"1"}`:                    `Expected an integer at "/count"`,
		`{"count":1.5}`:                    `Expected an integer at "/count"`,
		`{"count":9007199254740992}`:       `Integer out of range at "/count"`,
		`{"count":-9007199254740992}`:      `Integer out of range at "/count"`,
		`{"count":1e300}`:                  `Integer out of range at "/count"`,
		`{"count":99999999999999999999}`:   `Integer out of range at "/count"`,
		`{"weight":"heavy"}`:               `Expected a number at "/weight"`,
		`{"weight":1e999}`:                 `Number out of range at "/weight"`,
		`{"big":"true"}`:                   `Expected true or false at "/big"`,
		`{"big":null}`:                     `Expected true or false at "/big"`,
		`{"note":1}`:                       `Expected a string at "/note"`,
		`{"tags":{}}`:                      `Expected an array at "/tags"`,
		`{"tags":null}`:                    `Expected an array at "/tags"`,
		`{"tags":["a",1]}`:                 `Expected a string at "/tags/1"`,
		`{"tags":["a","b","c"]}`:           `Wrong number of values (3) at "/tags"`,
		`{"ages":[]}`:                      `Expected an object at "/ages"`,
		`{"ages":{"a":true}}`:              `Expected an integer at "/ages/a"`,
		`{"ages":{"long":1}}`:              `Invalid value at "/ages/long": the key is long`,
		`{"action":1}`:                     `A value of this type is not allowed at "/action"`,
		`{"content":"x"}`:                  `Expected an object at "/content"`,
		`{"content":null}`:                 `Expected an object at "/content"`,
		`{"name":"a","big":1,"extra":"b"}`: `Expected true or false at "/big"`,
	} {
		err := decode([]byte(body), new(thing))
		var e *Error
		require.ErrorAs(t, err, &e, body)
		require.Equal(t, "M_BAD_JSON", e.ErrCode, body)
		require.Equal(t, msg, e.Msg, body)
	}
}

// TestDecodeNotJSON breaks bodies at every byte: whatever is no JSON is
// M_NOT_JSON, wherever it breaks.
func TestDecodeNotJSON(t *testing.T) {
	const whole = `{"name":"Ann","tags":["a","b"],"ages":{"a":1},"content":{"a":[1]},"big":true,"x":[1,{}]}`
	require.NoError(t, decode([]byte(whole), new(thing)))
	bodies := []string{`{"name":"a","name":"b"}`, "{\"name\":\"\xff\"}", `{"name":"\ud800"}`, `{"x":{"a":1,"a":2},"name":""}`, `{"name":"a"} x`, `{"ages":{"a":1,"\u0061":2}}`}
	for i := range len(whole) {
		bodies = append(bodies, whole[:i])
	}
	for _, body := range bodies {
		var e *Error
		require.ErrorAs(t, decode([]byte(body), new(thing)), &e, body)
		require.Equal(t, "M_NOT_JSON", e.ErrCode, body)
	}
}

func TestDecodeOpenObject(t *testing.T) {
	var extra map[string]Raw
	var name string
	read := func(body string) error {
		extra, name = nil, ""
		return json.Unmarshal([]byte(body), Into(&name, func(v *string, dec *jsontext.Decoder) error {
			return DecodeOpenObject(dec, []string{"name"}, 1, &extra, DecodeRaw, func(int) error { return DecodeString(v, dec) })
		}))
	}
	require.NoError(t, read(`{"b":1,"name":"x","\u0061":{"c": 2}}`))
	require.Equal(t, "x", name)
	require.Equal(t, map[string]Raw{"a": Raw(`{"c": 2}`), "b": Raw("1")}, extra)
	require.NoError(t, read(`{"name":"x"}`))
	require.Nil(t, extra)
	require.Error(t, read(`{"a":1}`))
}

func TestAppend(t *testing.T) {
	b := []byte("{")
	b = AppendKey(b, `"a":`)
	b = AppendStrings(b, []colour{"x", "\"\\\n<&>é\u2028"})
	b = AppendKey(b, `"b":`)
	b = AppendRaws(b, []Raw{Raw(`{"n":1e5}`), nil})
	b = AppendName(b, "c\"")
	b = AppendFloat(b, 0.25)
	b = AppendKey(b, `"d":`)
	b = AppendObject(b, nil)
	b = AppendMembers(b, map[string]int64{"z": -1, "y": 9007199254740993, "": 0}, AppendInt)
	b = AppendKey(b, `"e":`)
	b = AppendList(b, []Empty{{}, {}})
	b = AppendKey(b, `"f":`)
	b = append(AppendBool(b, true), '}')
	require.Equal(t, `{"a":["x","\"\\\n<&>é`+"\u2028"+`"],"b":[{"n":1e5},null],"c\"":0.25,"d":{},"":0,"y":9007199254740993,"z":-1,"e":[{},{}],"f":true}`, string(b))
	require.True(t, jsontext.Value(b).IsValid())
}

func TestAppendDoesNotAllocate(t *testing.T) {
	m := map[string]Raw{}
	for _, k := range []string{"b", "a", "d", "c"} {
		m[k] = Raw("1")
	}
	buf := make([]byte, 0, 1024)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b := append(buf, '{')
		b = AppendMembers(b, m, AppendRaw)
		b = AppendKey(b, `"x":`)
		b = AppendStrings(b, []string{"a", "b"})
		_ = append(b, '}')
	}))
}
