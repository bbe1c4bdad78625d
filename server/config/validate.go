// SPDX-License-Identifier: Apache-2.0

package config

import (
	"maps"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"touchstone.example/api/id"
	"touchstone.example/server/env"
	"touchstone.example/server/roomver"
	"touchstone.example/server/strict"
)

// bad reports an invalid value of a setting.
func (l *loader) bad(path, format string, args ...any) {
	where := path
	if origin, ok := l.origin[path]; ok {
		where = origin + ": " + path
	}
	l.fail(where, format, args...)
}

// validate checks each setting, and the settings against each other.
func (l *loader) validate(src Sources) {
	c := l.cfg
	if _, err := id.ParseServerName(string(c.ServerName)); err != nil {
		l.bad("server_name", "%q is not a server name: %w", c.ServerName, err)
	}
	l.database()
	l.listeners(src)
	l.wellKnown()
	l.checkPasswordCost()
	l.strictness()
	var versions []string
	for _, rules := range roomver.All() {
		versions = append(versions, rules.Version)
	}
	l.oneOf("rooms.default_version", c.Rooms.DefaultVersion, versions...)
	l.oneOf("log.format", c.Log.Format, "auto", "text", "json")
	l.readable(src, "federation.trusted_ca_file", c.Federation.TrustedCAFile)
	l.unstable()
	l.appServices(src)
	l.checkTestSettings()
	l.noteUnusedSettings()
}

// noteUnusedSettings adds a note for each setting that is set and not used yet.
func (l *loader) noteUnusedSettings() {
	for _, path := range []string{"appservices"} {
		s, _ := settingAt(path)
		if _, chosen := l.origin[path]; chosen && !reflect.ValueOf(l.cfg).Elem().FieldByIndex(s.index).IsZero() {
			l.cfg.Notes = append(l.cfg.Notes, path+" has no effect yet")
		}
	}
}

func (l *loader) strictness() {
	l.oneOf("strictness.profile", l.cfg.Strictness.Profile, strict.Strict, strict.Lenient, strict.Synapse)
	var rules []string
	for _, rule := range strict.Rules() {
		rules = append(rules, rule.ID)
	}
	for _, rule := range slices.Sorted(maps.Keys(l.cfg.Strictness.Rules)) {
		if !slices.Contains(rules, rule) {
			l.bad("strictness.rules", "there is no rule %s%s", rule, hint(rule, rules))
		}
		l.oneOf("strictness.rules", l.cfg.Strictness.Rules[rule], "enforce", "report", "off")
	}
}

func (l *loader) oneOf(path, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	l.bad(path, "%q is not one of %s%s", value, strings.Join(allowed, ", "), hint(value, allowed))
}

func hint(value string, allowed []string) string {
	if best, ok := nearest(strings.ToLower(value), allowed); ok {
		return didYouMean(best)
	}
	return ""
}

func (l *loader) readable(src Sources, path, file string) {
	if file == "" {
		return
	}
	if _, err := src.ReadFile(file); err != nil {
		l.bad(path, "%w", err)
	}
}

func (l *loader) database() {
	if l.cfg.Database == "" {
		return
	}
	// The URL may contain a password: show only its scheme.
	scheme, rest, _ := strings.Cut(string(l.cfg.Database), ":")
	switch scheme {
	case "sqlite":
		if rest != ":memory:" && !(strings.HasPrefix(rest, "///") && len(rest) > 3) {
			l.bad("database", "want sqlite:///absolute/path.db or sqlite::memory:")
		}
		if strings.Contains(rest, "?") {
			l.bad("database", "a SQLite URL has no parameters; write %%3F for a question mark in the path")
		}
	case "postgres", "postgresql":
		if u, err := url.Parse(string(l.cfg.Database)); err != nil || !strings.HasPrefix(rest, "//") || u.Path == "/" {
			l.bad("database", "want postgres://user:password@host/name")
		}
	default:
		l.bad("database", "want a URL that begins with sqlite: or postgres:, for one sqlite:///absolute/path.db")
	}
}

func (l *loader) listeners(src Sources) {
	ls := &l.cfg.Listeners
	if ls.Client.Address == "" {
		l.bad("listeners.client.address", "a server without it serves nobody")
	}
	l.address("listeners.client", ls.Client.Address)
	l.address("listeners.federation", ls.Federation.Address)
	l.address("listeners.metrics", ls.Metrics.Address)
	l.address("listeners.lab", ls.Lab.Address)
	for _, text := range ls.TrustedProxies {
		if _, err := network(text); err != nil {
			l.bad("listeners.trusted_proxies", "%q is not an address or a network, such as 192.0.2.1 or 10.0.0.0/8", text)
		}
	}
	l.checkCertificate(src, "listeners.client", ls.Client)
	l.checkCertificate(src, "listeners.federation", ls.Federation)
}

func (l *loader) address(section, address string) {
	if address == "" {
		return
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		l.bad(section+".address", "%q is not host:port, such as 127.0.0.1:8008 or :8448", address)
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		l.bad(section+".address", "%q is not a port between 0 and 65535", port)
	} else if n == 0 && section == "listeners.federation" {
		l.cfg.Notes = append(l.cfg.Notes, "listeners.federation.address has port 0: other servers cannot know the port")
	}
}

func (l *loader) checkCertificate(src Sources, section string, t TLSListener) {
	switch {
	case t.TLSCertFile == "" && t.TLSKeyFile != "":
		l.bad(section+".tls_key_file", "a key needs its certificate in tls_cert_file")
	case t.TLSCertFile != "" && t.TLSKeyFile == "":
		l.bad(section+".tls_cert_file", "a certificate needs its key in tls_key_file")
	case t.TLSCertFile != "" && t.Address == "":
		l.bad(section+".tls_cert_file", "there is no address to use it on")
	}
	l.readable(src, section+".tls_cert_file", t.TLSCertFile)
	l.readable(src, section+".tls_key_file", t.TLSKeyFile)
}

func (l *loader) wellKnown() {
	w := l.cfg.WellKnown
	if w.Client != "" {
		u, err := url.Parse(w.Client)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" {
			l.bad("well_known.client", "%q is not a base URL, such as https://matrix.example.org", w.Client)
		}
	}
	if w.Server != "" {
		if _, err := id.ParseServerName(w.Server); err != nil {
			l.bad("well_known.server", "%q is not a server name: %w", w.Server, err)
		}
	}
}

func (l *loader) checkPasswordCost() {
	p := l.cfg.Passwords
	if p.Passes < 1 {
		l.bad("passwords.passes", "at least 1, not %d", p.Passes)
	}
	if p.Threads < 1 || p.Threads > 255 {
		l.bad("passwords.threads", "between 1 and 255, not %d", p.Threads)
	}
	if least := 8 * p.Threads; p.MemoryKiB < least || p.MemoryKiB > 1<<22 {
		l.bad("passwords.memory_kib", "between %d (8 a thread) and 4194304, not %d", least, p.MemoryKiB)
	}
	if p.Concurrency < 0 {
		l.bad("passwords.concurrency", "0 or more, not %d", p.Concurrency)
	}
}

// checkTestSettings refuses settings that make secrets guessable on a server that
// others can reach.
func (l *loader) checkTestSettings() {
	c := l.cfg
	if _, err := env.ParseClock(c.Clock); err != nil {
		l.bad("clock", "%w", err)
	}
	if !c.Lab && !c.Loopback() {
		const needs = "needs lab, or listeners on loopback addresses only"
		if c.Seed != "" {
			l.bad("seed", "%s: whoever knows it can guess every token", needs)
		}
		if c.Clock != "" {
			l.bad("clock", "%s: other servers live in real time", needs)
		}
	}
	if c.Lab && c.Listeners.Federation.Address != "" && !isPrivate(c.Listeners.Federation.Address) {
		l.bad("lab", "refuses to run beside a federation listener that the internet may reach (%s); give it a loopback or private address", c.Listeners.Federation.Address)
	}
	lab := c.Listeners.Lab
	switch {
	case !c.Lab && lab.Address != "":
		l.bad("listeners.lab.address", "is of use only with lab")
	case lab.Address != "" && !lab.Loopback() && !lab.AnyoneMayControl:
		l.bad("listeners.lab.address", "others can reach %s, and whoever reaches the control plane controls the server; use a loopback address such as 127.0.0.1:8009, or set listeners.lab.anyone_may_control as well", lab.Address)
	}
}
