// SPDX-License-Identifier: Apache-2.0

package idclient

import (
	"bytes"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// nothing replaces null members of answers. A member that is required is refused where
// it is used.
var nothing = map[string]string{
	"algorithms":       `[]`,
	"display_name":     `""`,
	"key_validity_url": `""`,
	"lookup_pepper":    `""`,
	"mappings":         `{}`,
	"public_key":       `""`,
	"public_keys":      `[]`,
	"token":            `""`,
	"valid":            `false`,
}

// withoutNulls removes null from an answer: some servers send it for an absent value,
// as for an unknown address. An answer that is not JSON is returned unchanged.
func withoutNulls(text []byte) []byte {
	if !bytes.Contains(text, []byte("null")) {
		return text
	}
	var out bytes.Buffer
	dec, enc := jsontext.NewDecoder(bytes.NewReader(text)), jsontext.NewEncoder(&out)
	for {
		in, n := dec.StackIndex(dec.StackDepth())
		if in == '[' && dec.PeekKind() == 'n' {
			if dec.SkipValue() != nil {
				return text
			}
			continue
		}
		token, err := dec.ReadToken()
		if err == io.EOF && dec.StackDepth() == 0 {
			return out.Bytes()
		}
		if err != nil {
			return text
		}
		if in == '{' && n%2 == 0 && token.Kind() == '"' {
			token = token.Clone() // the caller's decoder reports it
			if dec.PeekKind() == 'n' {
				value, ok := nothing[token.String()]
				if dec.SkipValue() != nil {
					return text
				}
				if ok {
					_, _ = enc.WriteToken(token), enc.WriteValue(jsontext.Value(value))
				}
				continue
			}
		}
		if enc.WriteToken(token) != nil {
			return text
		}
	}
}
