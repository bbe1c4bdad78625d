// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const envPrefix = "TOUCHSTONE_"

// Sources are where settings come from, each overriding the one before: a file, the
// environment, the command line.
type Sources struct {
	File     string                            // path of a YAML file; empty: TOUCHSTONE_CONFIG, or none
	Env      []string                          // as os.Environ gives it
	Flags    *Flags                            // may be nil
	ReadFile func(path string) ([]byte, error) // nil: os.ReadFile
}

// flagKeys are the flags of the command line by the settings that they set.
var flagKeys = []struct{ flag, key, usage string }{
	{"listen", "listeners.client.address", "answer clients on this `address` (host:port)"},
	{"server-name", "server_name", "the server's `name`, after the colon in user IDs"},
	{"database", "database", "database `URL`: sqlite:///path, sqlite::memory: or postgres://…"},
	{"lab", "lab", "lab mode, for experiments and tests: temporary data, open registration, strict checks"},
	{"seed", "seed", "derive all random values from this `text` (for tests)"},
	{"clock", "clock", "freeze the clock at this RFC 3339 `time`, or start it there if it ends in + (for tests)"},
}

// Flags are the flags of the command line that are settings.
type Flags struct {
	config string
	set    map[string]string
}

// BindFlags adds --config and the flags of the most used settings, or of the named
// ones, to fs. Parse fs before passing the result to Load.
func BindFlags(fs *flag.FlagSet, only ...string) *Flags {
	f := &Flags{set: map[string]string{}}
	fs.StringVar(&f.config, "config", "", "read settings from this YAML `file`")
	for _, k := range flagKeys {
		if len(only) > 0 && !slices.Contains(only, k.flag) {
			continue
		}
		keep := func(text string) error { f.set[k.key] = text; return nil }
		if k.flag == "lab" {
			fs.BoolFunc(k.flag, k.usage, keep)
		} else {
			fs.Func(k.flag, k.usage, keep)
		}
	}
	return f
}

// Load reads all sources, fills in defaults and secrets and checks the result. The
// error lists every problem with its origin.
func Load(src Sources) (*Config, error) {
	if src.ReadFile == nil {
		src.ReadFile = os.ReadFile
	}
	name := configFile(src)
	var data []byte
	if name != "" {
		var err error
		if data, err = src.ReadFile(name); err != nil {
			return nil, fmt.Errorf("read settings: %w", err)
		}
	}
	l := loadLayers(Default(), name, data, src)
	if l.cfg.Lab { // lab mode has other defaults for the same settings
		l = loadLayers(LabDefault(), name, data, src)
		l.labListener()
	}
	l.secrets(src)
	l.validate(src)
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	return l.cfg, nil
}

func configFile(src Sources) string {
	if src.Flags != nil && src.Flags.config != "" {
		return src.Flags.config
	}
	if src.File != "" {
		return src.File
	}
	return environment(src.Env)[envPrefix+"CONFIG"]
}

func loadLayers(base *Config, name string, data []byte, src Sources) *loader {
	l := &loader{cfg: base, origin: map[string]string{}}
	if name != "" {
		l.file(name, bytes.NewReader(data))
	}
	l.environment(src.Env)
	if src.Flags != nil {
		for _, k := range flagKeys {
			if text, ok := src.Flags.set[k.key]; ok {
				l.text(k.key, text, "flag --"+k.flag)
			}
		}
	}
	return l
}

func (l *loader) text(path, text, where string) {
	s, _ := settingAt(path)
	if err := setText(reflect.ValueOf(l.cfg).Elem().FieldByIndex(s.index), text); err != nil {
		l.fail(where, "%w", err)
		return
	}
	l.recordOrigin(path, where)
}

// environment returns the variables with our prefix that are not empty.
func environment(env []string) map[string]string {
	ours := map[string]string{}
	for _, kv := range env {
		if name, value, _ := strings.Cut(kv, "="); strings.HasPrefix(name, envPrefix) && value != "" {
			ours[name] = value
		}
	}
	return ours
}

// environment applies the environment to the settings. The flags' names are variables
// too. An unknown variable is an error, like an unknown key of a file, since in a
// container variables may be the only settings. Variables that an orchestrator derives
// from a service's name are only noted.
func (l *loader) environment(env []string) {
	ours := environment(env)
	delete(ours, envPrefix+"CONFIG")
	for _, s := range settings {
		if text, ok := ours[s.env()]; ok {
			l.text(s.path, text, "environment "+s.env())
			delete(ours, s.env())
		}
	}
	for _, k := range flagKeys {
		name := envPrefix + strings.ToUpper(strings.ReplaceAll(k.flag, "-", "_"))
		if text, ok := ours[name]; ok {
			l.text(k.key, text, "environment "+name)
			delete(ours, name)
		}
	}
	for _, kv := range env { // in the environment's order
		name, _, _ := strings.Cut(kv, "=")
		_, left := ours[name]
		switch {
		case !left, strings.HasPrefix(name, envPrefix+"TEST_"):
		case serviceVariables.MatchString(name):
			l.cfg.Notes = append(l.cfg.Notes, "the environment variable "+name+" is not a setting; an orchestrator has set it for a service named touchstone")
		default:
			l.fail("environment "+name, "unknown setting%s", suggestEnv(name))
		}
	}
}

// serviceVariables are the variables that Kubernetes and linked Docker containers
// set for a service that has the program's name.
var serviceVariables = regexp.MustCompile(`^TOUCHSTONE_(PORT|SERVICE_HOST|SERVICE_PORT|NAME)$|^TOUCHSTONE_SERVICE_PORT_|^TOUCHSTONE_PORT_[0-9]+_(TCP|UDP)`)

// labListener puts the control plane beside the client listener, so that several
// servers in lab mode can be started side by side: on the port after its own, or on
// any port where that one takes any.
func (l *loader) labListener() {
	if _, chosen := l.origin["listeners.lab.address"]; chosen {
		return
	}
	_, port, err := net.SplitHostPort(l.cfg.Listeners.Client.Address)
	n, notNumber := strconv.ParseUint(port, 10, 16)
	if err != nil || notNumber != nil {
		return // which validate says
	}
	if n != 0 && n < 65535 {
		n++
	} else {
		n = 0
	}
	l.cfg.Listeners.Lab.Address = net.JoinHostPort("127.0.0.1", strconv.FormatUint(n, 10))
}

// secrets reads the files with values of settings.
func (l *loader) secrets(src Sources) {
	root := reflect.ValueOf(l.cfg).Elem()
	for _, s := range settings {
		twin, ok := settingAt(s.path + "_file")
		path := ""
		if ok {
			path = root.FieldByIndex(twin.index).String()
		}
		if path == "" {
			continue
		}
		field, where := root.FieldByIndex(s.index), l.origin[twin.path]
		if _, both := l.origin[s.path]; both {
			l.fail(where, "%s and %s are both set; keep one", s.path, twin.path)
			continue
		}
		data, err := src.ReadFile(path)
		if err != nil {
			l.fail(where, "%s: %w", twin.path, err)
			continue
		}
		field.SetString(strings.TrimRight(string(data), "\r\n"))
	}
}
