// SPDX-License-Identifier: Apache-2.0

package id

import "strings"

// ParseDeviceID reads a device ID. The specification gives it no grammar; here
// it is 1 to 255 bytes of UTF-8 without U+0000.
func ParseDeviceID(s string) (DeviceID, error) {
	if rule := textRule(s); rule != "" {
		return "", &Error{"device ID", rule}
	}
	return DeviceID(s), nil
}

// ParseKeyID reads the name of a key. What stands behind the colon is a
// version, a device ID or a public key, and open here.
//
// Spec: appendices "Signing Details".
func ParseKeyID(s string) (KeyID, error) {
	rule := textRule(s)
	if rule == "" {
		rule = keyRule(s)
	}
	if rule != "" {
		return "", &Error{"key ID", rule}
	}
	return KeyID(s), nil
}

func keyRule(s string) Rule {
	algorithm, name, ok := strings.Cut(s, ":")
	if !ok || algorithm == "" {
		return RuleAlgorithm
	}
	for _, c := range []byte(algorithm) {
		if !isBase64URL(c) && c != '.' {
			return RuleAlgorithm
		}
	}
	if name == "" {
		return RuleEmpty
	}
	return ""
}

// Algorithm returns what stands before the colon.
func (k KeyID) Algorithm() string {
	algorithm, _, _ := strings.Cut(string(k), ":")
	return algorithm
}

// Name returns what stands behind the colon.
func (k KeyID) Name() string {
	_, name, _ := strings.Cut(string(k), ":")
	return name
}

// IsServerKey says whether the key ID is one that a server may give its
// signing key: its version has letters, digits and underscores only.
//
// Spec: server-server GET /_matrix/key/v2/server, "verify_keys".
func (k KeyID) IsServerKey() bool {
	name := k.Name()
	for i := range len(name) {
		if c := name[i]; !isLetter(c) && !isDigit(c) && c != '_' {
			return false
		}
	}
	return name != ""
}

// ParseMXC reads a content address. Nothing in one can climb out of a
// directory.
//
// Spec: client-server "Matrix Content (mxc://) URIs", "Security considerations".
func ParseMXC(s string) (MXC, error) {
	rest, ok := strings.CutPrefix(s, "mxc://")
	if !ok {
		return "", &Error{"content URI", RuleScheme}
	}
	server, media, ok := strings.Cut(rest, "/")
	if rule := serverRule(server); rule != "" {
		return "", &Error{"content URI", rule}
	}
	if !ok || !IsMediaID(media) {
		return "", &Error{"content URI", RuleMediaID}
	}
	return MXC(s), nil
}

// NewMXC makes a content address.
func NewMXC(server ServerName, media string) (MXC, error) {
	return ParseMXC("mxc://" + string(server) + "/" + media)
}

// Server returns the server that the content is from.
func (m MXC) Server() ServerName {
	server, _ := m.split()
	return ServerName(server)
}

// MediaID returns the name of the content on its server.
func (m MXC) MediaID() string {
	_, media := m.split()
	return media
}

func (m MXC) split() (server, media string) {
	server, media, _ = strings.Cut(strings.TrimPrefix(string(m), "mxc://"), "/")
	return server, media
}

// IsMediaID says whether s has 1 to 255 letters, digits, underscores and
// hyphens.
//
// Spec: client-server "Matrix Content (mxc://) URIs".
func IsMediaID(s string) bool {
	for i := range len(s) {
		if !isBase64URL(s[i]) {
			return false
		}
	}
	return s != "" && len(s) <= maxLen
}

// IsOpaque says whether s has the grammar of opaque identifiers.
//
// Spec: appendices "Opaque Identifiers".
func IsOpaque(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isBase64URL(c) && c != '.' && c != '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxLen
}

// IsNamespaced says whether s has the common namespaced grammar.
//
// Spec: appendices "Common Namespaced Identifier Grammar".
func IsNamespaced(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' {
			continue
		}
		if i == 0 || !isDigit(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return s != "" && len(s) <= maxLen
}
