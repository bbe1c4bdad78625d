// SPDX-License-Identifier: Apache-2.0

package canonjson

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The examples of the specification. Spec: appendices "Canonical JSON",
// "Examples".
var vectors = []struct{ in, want string }{
	{`{}`, `{}`},
	{"{\n    \"one\": 1,\n    \"two\": \"Two\"\n}", `{"one":1,"two":"Two"}`},
	{"{\n    \"b\": \"2\",\n    \"a\": \"1\"\n}", `{"a":"1","b":"2"}`},
	{`{"b":"2","a":"1"}`, `{"a":"1","b":"2"}`},
	{
		`{"auth":{"success":true,"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe",
		"three_pids":[{"medium":"email","address":"john.doe@example.org"},{"medium":"msisdn","address":"123456789"}]}}}`,
		`{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe",` +
			`"three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}`,
	},
	{`{"a": "日本語"}`, `{"a":"日本語"}`},
	{`{"本": 2, "日": 1}`, `{"日":1,"本":2}`},
	{`{"a": "\u65E5"}`, `{"a":"日"}`},
	{`{"a": null}`, `{"a":null}`},
	{`{"a": -0, "b": 1e10}`, `{"a":0,"b":10000000000}`},
}

func TestSpecificationExamples(t *testing.T) {
	for _, v := range vectors {
		got, err := Canonical([]byte(v.in))
		require.NoError(t, err, v.in)
		require.Equal(t, v.want, string(got))
		require.True(t, IsCanonical(got, Strict), "what was written is canonical: %s", got)
	}
}

func TestStrictForm(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"members order by code point, not by UTF-16 unit": {"{\"\U0001F600\":1,\"\uFFFF\":2}", "{\"\uFFFF\":2,\"\U0001F600\":1}"},
		"escaped members order by what they stand for":    {`{"\n":1,"\t":2,"\u0041":3,"\"":4,"\u001f":5,"!":6}`, `{"\t":2,"\n":1,"\u001f":5,"!":6,"\"":4,"A":3}`},
		"a member that begins another comes first":        {`{"ab":1,"a":2,"":3}`, `{"":3,"a":2,"ab":1}`},
		"the innermost objects are sorted too":            {`[{"b":{"d":1,"c":2},"a":[{"z":1,"y":2}]}]`, `[{"a":[{"y":2,"z":1}],"b":{"c":2,"d":1}}]`},
		"short escapes stay short":                        {`"\u0008\u000c\u000a\u000D\u0009\u0022\u005c\/"`, `"\b\f\n\r\t\"\\/"`},
		"other controls are lower case hex":               {`"\u000B\u001F\u0000"`, `"\u000b\u001f\u0000"`},
		"what needs no escape has none":                   {`"\u007f\u2028\u00e9\ud83d\ude00"`, "\"\u007f\u2028é😀\""},
		"white space goes":                                {" [ 1 ,\t{ \"a\" :\r\n true } , [ ] , { } ] ", `[1,{"a":true},[],{}]`},
		"scalars are values too":                          {" false ", "false"},
		"a fraction of zeros is an integer":               {"[1.0,-20.50e1,0.0,-0.0e-7]", "[1,-205,0,0]"},
		"an exponent may cancel a fraction":               {"[12.5e1,100e-2,0.00012E5,1E+3]", "[125,1,12,1000]"},
		"zero has no exponent, however large":             {"[0e999999999999,-0e-999999999999]", "[0,0]"},
		"the largest integers pass":                       {"[9007199254740991,-9007199254740991,9007199254740991.0,900719925474099.1e1]", "[9007199254740991,-9007199254740991,9007199254740991,9007199254740991]"},
		"zeros that a huge exponent takes away":           {"1" + strings.Repeat("0", 400) + "e-400", "1"},
	} {
		got, err := Canonical([]byte(c.in))
		require.NoError(t, err, name)
		require.Equal(t, c.want, string(got), name)
		again, err := Append([]byte("x"), got, Strict)
		require.NoError(t, err, name)
		require.Equal(t, "x"+c.want, string(again), name)
	}
}

// Whatever keys begin with, and however late they differ, they are ordered as
// their strings are, and repetition is found.
func TestMembersAreOrderedByTheirWholeKeys(t *testing.T) {
	for _, prefix := range []string{"", "@", "a prefix of more than eight bytes", "é😀", "\\u001f"} {
		var keys []string
		for i := range 300 {
			key := prefix + strings.Repeat("x", i%11) + []string{"", "é", "\U0001F600", "\uFFFF", "~"}[i%5] + strconv.Itoa(i/7)
			if prefix == "\\u001f" && i%3 == 0 {
				key += "\\n"
			}
			keys = append(keys, `"`+key+`"`)
		}
		decoded := func(key string) (s string) {
			require.NoError(t, json.Unmarshal([]byte(key), &s))
			return s
		}
		want := slices.SortedFunc(slices.Values(keys), func(a, b string) int { return strings.Compare(decoded(a), decoded(b)) })
		got, err := Canonical([]byte("{" + strings.Join(keys, ":1,") + ":1}"))
		require.NoError(t, err)
		require.Equal(t, "{"+strings.Join(want, ":1,")+":1}", string(got))
		_, err = Canonical([]byte("{" + strings.Join(append(keys, keys[150]), ":1,") + ":1}"))
		require.ErrorIs(t, err, ErrDuplicate)
	}
}

func TestRefusals(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	for _, c := range []struct {
		in     string
		want   error
		offset int
	}{
		{"", ErrSyntax, 0},
		{" ", ErrSyntax, 1},
		{"{", ErrSyntax, 1},
		{`{"a"}`, ErrSyntax, 4},
		{`{"a":1,}`, ErrSyntax, 7},
		{`{"a":1 "b":2}`, ErrSyntax, 7},
		{`{a:1}`, ErrSyntax, 1},
		{`[1,]`, ErrSyntax, 3},
		{`[1 2]`, ErrSyntax, 3},
		{`[1`, ErrSyntax, 2},
		{`nul`, ErrSyntax, 0},
		{`True`, ErrSyntax, 0},
		{`1 2`, ErrSyntax, 2},
		{`{}x`, ErrSyntax, 2},
		{"\xef\xbb\xbf{}", ErrSyntax, 0},
		{`01`, ErrSyntax, 0},
		{`-`, ErrSyntax, 1},
		{`+1`, ErrSyntax, 0},
		{`.5`, ErrSyntax, 0},
		{`1.`, ErrSyntax, 2},
		{`1e`, ErrSyntax, 2},
		{`1e+`, ErrSyntax, 3},
		{`NaN`, ErrSyntax, 0},
		{`"a`, ErrSyntax, 2},
		{"\"a\nb\"", ErrSyntax, 2},
		{"\"\x00\"", ErrSyntax, 1},
		{`"\x41"`, ErrSyntax, 1},
		{`"\`, ErrSyntax, 1},
		{`"\u12`, ErrSyntax, 1},
		{`"\u12g4"`, ErrSyntax, 1},
		{`"\ud83d\u12"`, ErrSyntax, 7},
		{"\"\xff\"", ErrUTF8, 1},
		{"\"a\xc0\xaf\"", ErrUTF8, 2},
		{"\"\xed\xa0\x80\"", ErrUTF8, 1},
		{`"\ud83d"`, ErrUTF8, 1},
		{`"\ude00"`, ErrUTF8, 1},
		{`"\ude00\ud83d"`, ErrUTF8, 1},
		{`"\ud83d\ud83d"`, ErrUTF8, 1},
		{`"\ud83dx"`, ErrUTF8, 1},
		{`{"a":1,"a":2}`, ErrDuplicate, 7},
		{`{"a":1,"b":2,"\u0061":3}`, ErrDuplicate, 13},
		{`{"b":1,"a":2,"b":3}`, ErrDuplicate, 13},
		{`[{"x":{"a":1, "a":1}}]`, ErrDuplicate, 14},
		{`{"a":1.5}`, ErrNumber, 5},
		{`[1e-1]`, ErrNumber, 1},
		{`[0.1]`, ErrNumber, 1},
		{`9007199254740992`, ErrNumber, 0},
		{`-9007199254740992`, ErrNumber, 0},
		{`9007199254740991.5`, ErrNumber, 0},
		{`1e16`, ErrNumber, 0},
		{`1e999999999999999999999`, ErrNumber, 0},
		{`1e-999999999999999999999`, ErrNumber, 0},
		{"[" + deep + "]", ErrDepth, MaxDepth},
		{strings.Repeat(`{"a":`, 10_000), ErrDepth, 5 * MaxDepth},
	} {
		dst := []byte("kept")
		out, err := Append(dst, []byte(c.in), Strict)
		require.ErrorIs(t, err, c.want, "%.60q", c.in)
		var e *Error
		require.True(t, errors.As(err, &e))
		require.Equal(t, c.offset, e.Offset, "%.60q", c.in)
		require.Equal(t, "kept", string(out), "the destination is as it was")
		_, err = Canonical([]byte(c.in))
		require.ErrorIs(t, err, c.want)
	}
	_, err := Canonical([]byte(deep))
	require.NoError(t, err, "the depth limit itself is allowed")
}

// The floats of the second column are what json.dumps(json.loads(x)) of
// CPython prints.
func TestLenientNumbers(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"-0", "0"},
		{"9007199254740992", "9007199254740992"},
		{"-123456789012345678901234567890", "-123456789012345678901234567890"},
		{"1.0", "1.0"},
		{"1e10", "10000000000.0"},
		{"1E10", "10000000000.0"},
		{"-1e10", "-10000000000.0"},
		{"1e15", "1000000000000000.0"},
		{"1e16", "1e+16"},
		{"123456789012345678.0", "1.2345678901234568e+17"},
		{"0.1", "0.1"},
		{"0.0001", "0.0001"},
		{"0.00001", "1e-05"},
		{"1e-5", "1e-05"},
		{"-0.0", "-0.0"},
		{"0e5", "0.0"},
		{"-0e0", "-0.0"},
		{"1.5", "1.5"},
		{"1e22", "1e+22"},
		{"5e-324", "5e-324"},
		{"1e-400", "0.0"},
		{"1.7976931348623157e308", "1.7976931348623157e+308"},
		{"2.5e-7", "2.5e-07"},
		{"9007199254740993.0", "9007199254740992.0"},
		{"0.30000000000000004", "0.30000000000000004"},
		{"100.0", "100.0"},
		{"12345.678e3", "12345678.0"},
		{"1e-4", "0.0001"},
		{"9999999999999998.0", "9999999999999998.0"},
		{"1e+2", "100.0"},
		{"123e-7", "1.23e-05"},
		{"1e23", "1e+23"},
	} {
		for _, wrap := range []string{"%", `[ % ]`, `{"b":%,"a":%}`} {
			in, want := strings.ReplaceAll(wrap, "%", c.in), strings.ReplaceAll(wrap, "%", c.want)
			want = strings.ReplaceAll(want, " ", "")
			if strings.HasPrefix(want, "{") {
				want = `{"a":` + c.want + `,"b":` + c.want + `}`
			}
			got, err := Append(nil, []byte(in), Lenient)
			require.NoError(t, err, in)
			require.Equal(t, want, string(got), in)
			require.True(t, IsCanonical(got, Lenient), want)
		}
	}
	for _, in := range []string{"1e309", "-1e400", "[1e999999999999999999]"} {
		_, err := Append(nil, []byte(in), Lenient)
		require.ErrorIs(t, err, ErrNumber, in)
	}
	_, err := Append(nil, []byte(`{"a":01}`), Lenient)
	require.ErrorIs(t, err, ErrSyntax, "lenient numbers are still JSON numbers")
	_, err = Append(nil, []byte(`{"a":1,"a":1}`), Lenient)
	require.ErrorIs(t, err, ErrDuplicate, "lenience is about numbers only")
}

func TestCanonicalInputIsCopiedWithoutWork(t *testing.T) {
	src, dst := []byte(pduCanonical), make([]byte, 0, 4096)
	for _, mode := range []Mode{Strict, Lenient} {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if _, err := Append(dst, src, mode); err != nil {
				t.Fatal(err)
			}
		}))
	}
	require.False(t, IsCanonical([]byte(`{"a":1 }`), Strict))
	require.False(t, IsCanonical([]byte(`{"a":1}{}`), Strict))
	require.False(t, IsCanonical([]byte(`"\u0041"`), Strict))
	require.False(t, IsCanonical([]byte(`"\u001F"`), Strict))
	require.False(t, IsCanonical([]byte(`"\u000a"`), Strict))
	require.False(t, IsCanonical([]byte(`"\/"`), Strict))
	require.False(t, IsCanonical([]byte(`1.0`), Strict))
	require.True(t, IsCanonical([]byte(`1.0`), Lenient))
	require.False(t, IsCanonical([]byte(`{"b":1,"a":1}`), Strict))
	require.False(t, IsCanonical([]byte(`{"a":1,"a":1}`), Strict))
}

func TestOutputDoesNotDependOnWhatThePoolHeld(t *testing.T) {
	for range 50 {
		_, err := Canonical([]byte(`{"z":{"y":1,"x":[{"w":1,"v":`))
		require.ErrorIs(t, err, ErrSyntax)
		got, err := Canonical([]byte(`{"b":{"d":1,"c":2},"a":1}`))
		require.NoError(t, err)
		require.Equal(t, `{"a":1,"b":{"c":2,"d":1}}`, string(got))
	}
}
