// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"bytes"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/canonjson"
)

// FuzzCanonJSON compares the canonical JSON writer with a slow one, built on
// another reader and on big numbers. Both must accept the same documents and
// write the same bytes.
func FuzzCanonJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `""`, `-0`, `1e10`, `{"b":1,"a":[true,false,null]}`, `{"a":-0,"b":1e10}`, "{\"\U0001F600\":1,\"\uFFFF\":2}",
		`{"\n":1,"\u0041":{"z":1,"y":2}}`, `"\ud83d\ude00\u000b\/"`, `"\ud83d"`, "\"\xff\"", `{"a":1,"\u0061":2}`, `1.50e2`, `9007199254740992`,
		`[1.0,12.5e1,100e-2,0.1,1e16,1e-5,1e400]`, strings.Repeat("[", 129) + strings.Repeat("]", 129), ` { "a" : [ 1 , 2 ] } `,
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, src []byte, lenient bool) {
		mode := canonjson.Strict
		if lenient {
			mode = canonjson.Lenient
		}
		got, err := canonjson.Append(nil, src, mode)
		want, refErr := reference(src, lenient)
		require.Equal(t, refErr == nil, err == nil, "reference: %v, writer: %v", refErr, err)
		require.Equal(t, refErr == nil && bytes.Equal(want, src), canonjson.IsCanonical(src, mode))
		if err != nil {
			return
		}
		require.Equal(t, string(want), string(got))
		again, err := canonjson.Append(nil, got, mode)
		require.NoError(t, err)
		require.Equal(t, string(got), string(again), "the canonical form is its own canonical form")
	})
}

// reference converts src to canonical JSON with a tree of values.
func reference(src []byte, lenient bool) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(src))
	out, err := referenceValue(dec, lenient)
	if err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); err == nil || len(bytes.TrimLeft(src[dec.InputOffset():], " \t\r\n")) > 0 {
		return nil, fmt.Errorf("more than one value")
	}
	return []byte(out), nil
}

func referenceValue(dec *jsontext.Decoder, lenient bool) (string, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return "", err
	}
	if dec.StackDepth() > canonjson.MaxDepth {
		return "", fmt.Errorf("too deep")
	}
	switch tok.Kind() {
	case '"':
		return referenceString(tok.String()), nil
	case '0':
		return referenceNumber(tok.String(), lenient)
	case '[':
		var values []string
		for dec.PeekKind() != ']' {
			v, err := referenceValue(dec, lenient)
			if err != nil {
				return "", err
			}
			values = append(values, v)
		}
		_, err := dec.ReadToken()
		return "[" + strings.Join(values, ",") + "]", err
	case '{':
		return referenceObject(dec, lenient)
	}
	return tok.String(), nil
}

func referenceObject(dec *jsontext.Decoder, lenient bool) (string, error) {
	values := map[string]string{}
	var keys [][]rune
	for dec.PeekKind() != '}' {
		key, err := dec.ReadToken()
		if err != nil {
			return "", err
		}
		name := key.String()
		if values[name], err = referenceValue(dec, lenient); err != nil {
			return "", err
		}
		keys = append(keys, []rune(name))
	}
	slices.SortFunc(keys, slices.Compare[[]rune])
	var members []string
	for _, k := range keys {
		members = append(members, referenceString(string(k))+":"+values[string(k)])
	}
	_, err := dec.ReadToken()
	return "{" + strings.Join(members, ",") + "}", err
}

func referenceString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if i := strings.IndexRune("\b\t\n\f\r\"\\", r); i >= 0 {
			b.WriteString(`\` + `btnfr"\`[strings.IndexRune("\b\t\n\f\r\"\\", r):][:1])
		} else if r < 0x20 {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func referenceNumber(s string, lenient bool) (string, error) {
	if lenient && strings.ContainsAny(s, ".eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return "", err
		}
		return pythonRepr(f), nil
	}
	if exp := strings.IndexAny(s, "eE"); exp >= 0 {
		// big.Rat would compute 10^exponent. An exponent this large is only in
		// range if the number has about as many digits.
		n, err := strconv.Atoi(s[exp+1:])
		zero := strings.Trim(s[:exp], "-0.") == ""
		if zero {
			return "0", nil
		}
		if err != nil || n > 100_000 || n < -100_000 {
			return "", fmt.Errorf("exponent out of range")
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return "", fmt.Errorf("not a number")
	}
	if lenient {
		return r.Num().String(), nil
	}
	if !r.IsInt() || r.Num().CmpAbs(big.NewInt(canonjson.MaxInt)) > 0 {
		return "", fmt.Errorf("not an integer in range")
	}
	return r.Num().String(), nil
}

// pythonRepr formats a float from its digits and decimal point, as CPython's
// float_repr_style "short" does.
func pythonRepr(f float64) string {
	s := strconv.FormatFloat(f, 'e', -1, 64)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	mantissa, exponent, _ := strings.Cut(s, "e")
	digits := strings.Replace(mantissa, ".", "", 1)
	exp, _ := strconv.Atoi(exponent)
	switch {
	case exp < -4 || exp >= 16:
		if len(digits) > 1 {
			digits = digits[:1] + "." + digits[1:]
		}
		return fmt.Sprintf("%s%se%+03d", sign, digits, exp)
	case exp < 0:
		return sign + "0." + strings.Repeat("0", -exp-1) + digits
	case exp+1 >= len(digits):
		return sign + digits + strings.Repeat("0", exp+1-len(digits)) + ".0"
	}
	return sign + digits[:exp+1] + "." + digits[exp+1:]
}
