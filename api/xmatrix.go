// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"touchstone.example/api/id"
)

// An XMatrix is one Authorization header of a server: origin, destination, key and
// signature of the request. It proves nothing until the signature has been verified.
type XMatrix struct {
	Origin      id.ServerName
	Destination id.ServerName // empty where the header has none
	Key         id.KeyID
	Sig         string // unpadded Base64
}

// String writes the header value in the form that every server reads.
func (m XMatrix) String() string {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace
	return fmt.Sprintf(`X-Matrix origin="%s",destination="%s",key="%s",sig="%s"`, m.Origin, m.Destination, quote(string(m.Key)), quote(m.Sig))
}

// ParseXMatrix reads the value of an Authorization header with the scheme X-Matrix:
// parameters in any order, their names in any case, values as tokens or quoted strings,
// white space around commas and equals signs. Values without quotes may contain colons.
// An unknown parameter is ignored, a repeated one is an error.
//
// Spec: server-server "Request Authentication"; RFC 9110, section 11.4.
func ParseXMatrix(header string) (XMatrix, error) {
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, schemeXMatrix) {
		return XMatrix{}, errScheme
	}
	var m XMatrix
	seen := map[string]bool{}
	for p := (paramReader{rest}); ; {
		name, value, err := p.next()
		if err != nil {
			return XMatrix{}, err
		}
		if name == "" {
			break
		}
		if seen[name] {
			return XMatrix{}, fmt.Errorf("the parameter %q is repeated", name)
		}
		seen[name] = true
		if err := m.set(name, value); err != nil {
			return XMatrix{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	if m.Origin == "" || m.Key == "" || m.Sig == "" {
		return XMatrix{}, errors.New("origin, key and sig are required")
	}
	return m, nil
}

const schemeXMatrix = "X-Matrix"

var errScheme = errors.New("the scheme is not X-Matrix")

// isSigned reports whether a request has a signature of a server.
func isSigned(r *http.Request) bool {
	return slices.ContainsFunc(r.Header["Authorization"], func(header string) bool {
		scheme, _, _ := strings.Cut(header, " ")
		return strings.EqualFold(scheme, schemeXMatrix)
	})
}

func (m *XMatrix) set(name, value string) (err error) {
	switch name {
	case "origin":
		m.Origin, err = id.ParseServerName(value)
	case "destination":
		m.Destination, err = id.ParseServerName(value)
	case "key":
		m.Key, err = id.ParseKeyID(value)
	case "sig":
		m.Sig = value
	}
	return err
}

// A paramReader reads a list of authentication parameters.
type paramReader struct{ s string }

const maxEmpty = 16 // empty list elements

// next returns the next parameter, its name in lower case, or an empty name at
// the end.
func (p *paramReader) next() (name, value string, err error) {
	for empty := 0; ; empty++ {
		p.space()
		if p.s == "" {
			return "", "", nil
		}
		if p.s[0] != ',' {
			break
		}
		if p.s = p.s[1:]; empty == maxEmpty {
			return "", "", errors.New("too many empty parameters")
		}
	}
	if name = p.token(false); name == "" {
		return "", "", errors.New("a parameter has no name")
	}
	p.space()
	if p.s == "" || p.s[0] != '=' {
		return "", "", fmt.Errorf("the parameter %q has no value", name)
	}
	p.s = p.s[1:]
	p.space()
	if p.s != "" && p.s[0] == '"' {
		value, err = p.quoted()
	} else if value = p.token(true); value == "" {
		err = fmt.Errorf("the parameter %q has no value", name)
	}
	p.space()
	if err == nil && p.s != "" && p.s[0] != ',' {
		err = fmt.Errorf("the parameter %q is not followed by a comma", name)
	}
	return strings.ToLower(name), value, err
}

func (p *paramReader) space() { p.s = strings.TrimLeft(p.s, " \t") }

// token reads the longest token, which may contain colons if colons is set.
//
// Spec: RFC 9110, section 5.6.2.
func (p *paramReader) token(colons bool) string {
	n := 0
	for n < len(p.s) && (isTokenChar(p.s[n]) || colons && p.s[n] == ':') {
		n++
	}
	token := p.s[:n]
	p.s = p.s[n:]
	return token
}

func isTokenChar(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// quoted reads a quoted string and returns its value.
//
// Spec: RFC 9110, section 5.6.4.
func (p *paramReader) quoted() (string, error) {
	var out []byte
	for i := 1; i < len(p.s); i++ {
		c := p.s[i]
		if c == '"' {
			p.s = p.s[i+1:]
			return string(out), nil
		}
		if c == '\\' {
			if i++; i == len(p.s) {
				break
			}
			c = p.s[i]
		}
		if c < 0x20 && c != '\t' || c == 0x7F {
			return "", errors.New("a quoted value has a control character")
		}
		out = append(out, c)
	}
	return "", errors.New("a quoted value has no end")
}

// maxSignatures is how many headers, one for each key, a request may have.
const maxSignatures = 8

// SignatureAuthenticator is the authenticator for AuthServer. It reads the headers;
// verify checks destination and signatures. A request signed with several keys has
// several headers, all with the same origin and destination.
func SignatureAuthenticator(verify func(r *http.Request, signed []XMatrix) (id.ServerName, error)) Authenticator[id.ServerName] {
	return func(r *http.Request) (id.ServerName, bool, error) {
		var signed []XMatrix
		for _, header := range r.Header["Authorization"] {
			m, err := ParseXMatrix(header)
			switch {
			case errors.Is(err, errScheme):
				continue
			case err != nil:
				return "", false, Unauthorized("Malformed Authorization header: %v", err)
			case len(signed) == maxSignatures:
				return "", false, Unauthorized("Too many signatures")
			case len(signed) > 0 && (m.Origin != signed[0].Origin || m.Destination != signed[0].Destination):
				return "", false, Unauthorized("The signatures are not of one origin for one destination")
			}
			signed = append(signed, m)
		}
		if len(signed) == 0 {
			return "", false, nil
		}
		origin, err := verify(r, signed)
		return origin, true, err
	}
}
