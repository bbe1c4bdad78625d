// SPDX-License-Identifier: Apache-2.0

package id

import (
	"net/netip"
	"strings"
)

// ParseServerName reads a host with an optional port: a DNS name, an IPv4
// address, or an IPv6 address in square brackets. Its case matters and is
// kept.
//
// Beyond the grammar, which only bounds what a server name may be, a DNS name
// must not have an empty label: ".." would otherwise be a server name, and it
// stands in paths. A port is at most 65535.
//
// Spec: appendices "Server Name".
func ParseServerName(s string) (ServerName, error) {
	if rule := serverRule(s); rule != "" {
		return "", &Error{"server name", rule}
	}
	return ServerName(s), nil
}

// Host returns the server name without its port and the brackets of an IPv6
// address.
func (s ServerName) Host() string {
	host, _, _ := splitPort(string(s))
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// Port returns the port, which may be empty.
func (s ServerName) Port() string {
	_, port, _ := splitPort(string(s))
	return port
}

// IsIP says whether the server name is an address and not a DNS name.
func (s ServerName) IsIP() bool {
	_, err := netip.ParseAddr(s.Host())
	return err == nil
}

// splitPort cuts a server name before its port. It is not meant to judge.
func splitPort(s string) (host, port string, hasPort bool) {
	if !strings.HasPrefix(s, "[") {
		return strings.Cut(s, ":")
	}
	end := strings.IndexByte(s, ']') + 1
	if end == 0 || end == len(s) {
		return s, "", false
	}
	return s[:end], strings.TrimPrefix(s[end:], ":"), true
}

// serverRule returns the rule that s breaks as a server name.
func serverRule(s string) Rule {
	if s == "" {
		return RuleEmpty
	}
	host, port, hasPort := splitPort(s)
	if hasPort && !validPort(port) {
		return RulePort
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if hasPort && s[len(host)] != ':' {
			return RulePort
		}
		if !ok || !validIPv6(inner) {
			return RuleIPv6
		}
		return ""
	}
	return hostRule(host)
}

func hostRule(host string) Rule {
	switch {
	case len(host) > maxLen:
		return RuleLength
	case host == "":
		return RuleHost
	}
	digitsAndDots, dots, last := true, 0, byte('.')
	for i := range len(host) {
		c := host[i]
		switch {
		case c == '.':
			if last == '.' {
				return RuleHost
			}
			dots++
		case isDigit(c):
		case isLetter(c), c == '-':
			digitsAndDots = false
		default:
			return RuleHost
		}
		last = c
	}
	if last == '.' {
		return RuleHost
	}
	if digitsAndDots && dots == 3 && !validIPv4(host) {
		return RuleIPv4
	}
	return ""
}

// validIPv4 takes four decimal numbers of one to three digits up to 255.
func validIPv4(host string) bool {
	for part := range strings.SplitSeq(host, ".") {
		n := 0
		for _, c := range []byte(part) {
			n = n*10 + int(c-'0')
		}
		if len(part) > 3 || n > 255 {
			return false
		}
	}
	return true
}

func validIPv6(s string) bool {
	if len(s) < 2 || len(s) > 45 || strings.IndexByte(s, '%') >= 0 {
		return false
	}
	addr, err := netip.ParseAddr(s)
	return err == nil && addr.Is6()
}

func validPort(s string) bool {
	if s == "" || len(s) > 5 {
		return false
	}
	n := 0
	for _, c := range []byte(s) {
		if !isDigit(c) {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n <= 65535
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
