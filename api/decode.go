// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
)

// This file reads JSON for the generated types, with one function for each kind of
// value. A value of another kind, null in particular, is M_BAD_JSON. Syntax errors are
// returned unchanged, so that the caller can distinguish M_NOT_JSON from M_BAD_JSON and
// add the place.

// Null is a member that may be null. The zero Null is null.
type Null[T any] struct {
	Value T
	Valid bool
}

// DecodeObject reads one object. names holds the members that the type knows,
// the required ones first; member reads the value of names[i]. Other members
// are skipped.
func DecodeObject(dec *jsontext.Decoder, names []string, required int, member func(i int) error) error {
	return decodeObject(dec, names, required, member, func([]byte) error { return dec.SkipValue() })
}

// DecodeOpenObject is DecodeObject for types that keep unknown members, by name, in
// extra.
func DecodeOpenObject[T any](dec *jsontext.Decoder, names []string, required int, extra *map[string]T, value func(*T, *jsontext.Decoder) error, member func(i int) error) error {
	return decodeObject(dec, names, required, member, func(name []byte) error {
		key := string(name) // the decoder reuses the bytes
		var v T
		if err := value(&v, dec); err != nil {
			return err
		}
		if *extra == nil {
			*extra = map[string]T{}
		}
		(*extra)[key] = v
		return nil
	})
}

func decodeObject(dec *jsontext.Decoder, names []string, required int, member func(int) error, other func([]byte) error) error {
	if ok, err := open(dec, '{', "an object"); !ok {
		return err
	}
	var seen uint64
	var scratch [64]byte
	for dec.PeekKind() != '}' {
		quoted, err := dec.ReadValue()
		if err != nil {
			return err
		}
		name, err := unquote(scratch[:0], quoted)
		if err != nil {
			return err
		}
		i := index(names, name)
		if i < 0 {
			err = other(name)
		} else {
			err = member(i)
		}
		if err != nil {
			return err
		}
		if i >= 0 && i < required {
			seen |= 1 << i
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if i := bits.TrailingZeros64(^seen); i < required {
		return missingFrom(dec, names[:required], seen)
	}
	return nil
}

// missingFrom returns the error for missing required members of an object.
func missingFrom(dec *jsontext.Decoder, required []string, seen uint64) error {
	for i, name := range required {
		if seen&(1<<i) == 0 {
			if err := missing(dec, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// unquote returns the characters of a JSON string that is known to be valid.
func unquote(scratch []byte, quoted jsontext.Value) ([]byte, error) {
	for _, c := range quoted {
		if c == '\\' {
			return jsontext.AppendUnquote(scratch, quoted)
		}
	}
	return quoted[1 : len(quoted)-1], nil
}

func index(names []string, name []byte) int {
	for i, n := range names {
		if n == string(name) {
			return i
		}
	}
	return -1
}

// open reads the start of an object or an array, if it is one.
func open(dec *jsontext.Decoder, kind jsontext.Kind, what string) (ok bool, err error) {
	if ok, err = expect(dec, kind, what); !ok {
		return false, err
	}
	_, err = dec.ReadToken()
	return err == nil, err
}

// expect reports whether the next value is of the kind. It consumes nothing if so;
// otherwise it skips the value and returns a fault.
func expect(dec *jsontext.Decoder, kind jsontext.Kind, what string) (ok bool, err error) {
	switch got := dec.PeekKind(); got {
	case kind:
		return true, nil
	case jsontext.KindInvalid:
		_, err := dec.ReadValue()
		return false, err
	}
	if err := dec.SkipValue(); err != nil {
		return false, err
	}
	return false, wrong(dec, what)
}

func wrong(dec *jsontext.Decoder, what string) error {
	return fault(dec, RuleType, what, BadJSON("Expected %s", what))
}

// DecodeOpt reads an optional member that is present.
func DecodeOpt[T any](v *Opt[T], dec *jsontext.Decoder, value func(*T, *jsontext.Decoder) error) error {
	v.Set = true
	return value(&v.Value, dec)
}

// DecodeNull reads a value that may be null.
func DecodeNull[T any](v *Null[T], dec *jsontext.Decoder, value func(*T, *jsontext.Decoder) error) error {
	if v.Valid = dec.PeekKind() != jsontext.KindNull; !v.Valid {
		return dec.SkipValue()
	}
	return value(&v.Value, dec)
}

// DecodeList reads an array. An empty one is not nil.
func DecodeList[T any](v *[]T, dec *jsontext.Decoder, value func(*T, *jsontext.Decoder) error) error {
	if ok, err := open(dec, '[', "an array"); !ok {
		return err
	}
	list := []T{}
	for dec.PeekKind() != ']' {
		var zero T
		list = append(list, zero)
		if err := value(&list[len(list)-1], dec); err != nil {
			return err
		}
	}
	*v = list
	_, err := dec.ReadToken()
	return err
}

// DecodeMap reads an object whose member names are data, parsed with key. An empty one
// is not nil.
func DecodeMap[K ~string, V any](v *map[K]V, dec *jsontext.Decoder, key func(string) (K, error), value func(*V, *jsontext.Decoder) error) error {
	if ok, err := open(dec, '{', "an object"); !ok {
		return err
	}
	m := map[K]V{}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		k, err := key(name.String())
		if err != nil {
			if err := wrongKey(dec, err); err != nil {
				return err
			}
			if err := dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		var e V
		if err := value(&e, dec); err != nil {
			return err
		}
		m[k] = e
	}
	*v = m
	_, err := dec.ReadToken()
	return err
}

// wrongKey is the fault of a member's name.
func wrongKey(dec *jsontext.Decoder, err error) error {
	var bad *id.Error
	if errors.As(err, &bad) {
		return fault(dec, RuleIdentifier, "a name that is "+an(bad.Type), err)
	}
	return fault(dec, RuleEnum, "another name", err)
}

// AnyKey parses the keys of a map whose member names have no grammar.
func AnyKey(s string) (string, error) { return s, nil }

// DecodeCount refuses a container of n elements if n is less than least or more than
// most.
func DecodeCount(dec *jsontext.Decoder, err error, n, least, most int) error {
	if err == nil && (n < least || n > most) {
		return fault(dec, RuleLimits, elements(least, most), BadJSON("Wrong number of values (%d)", n))
	}
	return err
}

func elements(least, most int) string {
	switch {
	case least == 0:
		return fmt.Sprintf("at most %d elements", most)
	case most == math.MaxInt:
		return fmt.Sprintf("at least %d elements", least)
	}
	return fmt.Sprintf("%d to %d elements", least, most)
}

// DecodeID reads an identifier, by its grammar.
func DecodeID[T any, P interface {
	*T
	json.UnmarshalerFrom
}](v *T, dec *jsontext.Decoder) error {
	err := P(v).UnmarshalJSONFrom(dec)
	var bad *id.Error
	if errors.As(err, &bad) {
		if bad.Rule == id.RuleString {
			return fault(dec, RuleType, "a string", err)
		}
		return fault(dec, RuleIdentifier, an(bad.Type), err)
	}
	return err
}

// DecodeString reads a string.
func DecodeString[T ~string](v *T, dec *jsontext.Decoder) error {
	if ok, err := expect(dec, '"', "a string"); !ok {
		return err
	}
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	*v = T(tok.String())
	return nil
}

// DecodeEnum reads a string that must be one of a closed set.
func DecodeEnum[T interface {
	~string
	Valid() bool
}](v *T, dec *jsontext.Decoder) error {
	if ok, err := expect(dec, '"', "a string"); !ok {
		return err
	}
	if err := DecodeString(v, dec); err != nil {
		return err
	}
	if !(*v).Valid() {
		return fault(dec, RuleEnum, "one of the listed values", BadJSON("Unknown value %q", string(*v)))
	}
	return nil
}

// DecodeBool reads true or false.
func DecodeBool(v *bool, dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case 't', 'f':
		tok, err := dec.ReadToken()
		*v = err == nil && tok.Bool()
		return err
	}
	_, err := expect(dec, 't', "true or false")
	return err
}

// maxInt is the largest integer that every JSON implementation reads exactly.
const maxInt = 1<<53 - 1

// DecodeInt reads an integer within ±(2^53−1), in any notation.
func DecodeInt(v *int64, dec *jsontext.Decoder) error {
	if ok, err := expect(dec, '0', "an integer"); !ok {
		return err
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	text := string(raw)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && strings.ContainsAny(text, ".eE") {
		f, ferr := strconv.ParseFloat(text, 64)
		if ferr != nil || f != math.Trunc(f) {
			return wrong(dec, "an integer")
		}
		if math.Abs(f) <= maxInt {
			n, err = int64(f), nil
		}
	}
	if err != nil || n > maxInt || n < -maxInt {
		return fault(dec, RuleLimits, "an integer within ±(2^53-1)", BadJSON("Integer out of range"))
	}
	*v = n
	return nil
}

// DecodeFloat reads a number.
func DecodeFloat(v *float64, dec *jsontext.Decoder) error {
	if ok, err := expect(dec, '0', "a number"); !ok {
		return err
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if *v, err = strconv.ParseFloat(string(raw), 64); err != nil {
		return fault(dec, RuleLimits, "a number that a double can hold", BadJSON("Number out of range"))
	}
	return nil
}

// DecodeRaw returns any value unchanged.
func DecodeRaw(v *Raw, dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	*v = raw.Clone()
	return nil
}

// DecodeRawOf returns a value unchanged, if it is of one of the kinds, given as a
// string of their bytes.
func DecodeRawOf(v *Raw, dec *jsontext.Decoder, kinds string) error {
	if k := dec.PeekKind(); k != jsontext.KindInvalid && strings.IndexByte(kinds, byte(k)) < 0 {
		if err := dec.SkipValue(); err != nil {
			return err
		}
		return fault(dec, RuleType, kindNames(kinds), BadJSON("A value of this type is not allowed"))
	}
	return DecodeRaw(v, dec)
}

// DecodeRawObject returns an object unchanged.
func DecodeRawObject(v *Raw, dec *jsontext.Decoder) error {
	if ok, err := expect(dec, '{', "an object"); !ok {
		return err
	}
	return DecodeRaw(v, dec)
}

// kindNames lists kinds of values in words.
func kindNames(kinds string) string {
	var names []string
	for _, k := range []byte(kinds) {
		if k != 'f' { // goes with t
			names = append(names, an(kind(jsontext.Kind(k))))
		}
	}
	return strings.Join(names, " or ")
}

// ParseEnum parses a path or query parameter that must be one of a closed set.
func ParseEnum[T interface {
	~string
	Valid() bool
}](s string) (T, error) {
	if v := T(s); v.Valid() {
		return v, nil
	}
	return "", errUnknownValue
}

var errUnknownValue = errors.New("unknown value")

// RequiredList returns the values of a required query parameter.
func RequiredList[T any](q *Query, name string, list []T) []T {
	if len(list) == 0 {
		q.fail(RuleQueryMissing, name, "the parameter", MissingParam("Missing query parameter %q", name))
	}
	return list
}
