// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A registration is the part of an application service's file that check-config reads.
// Pointers distinguish an absent key from an empty one.
//
// Spec: application-service "Registration".
type registration struct {
	ID              *string            `yaml:"id"`
	URL             yaml.Node          `yaml:"url"`
	ASToken         *string            `yaml:"as_token"`
	HSToken         *string            `yaml:"hs_token"`
	SenderLocalpart *string            `yaml:"sender_localpart"`
	Namespaces      *map[string][]rule `yaml:"namespaces"`
}

type rule struct {
	Regex     *string `yaml:"regex"`
	Exclusive *bool   `yaml:"exclusive"`
}

// appServices reads the registration files. Their IDs and tokens must differ.
func (l *loader) appServices(src Sources) {
	taken := map[string]string{} // ID or token → file that has it
	for i, file := range l.cfg.AppServices {
		if slices.Contains(l.cfg.AppServices[:i], file) {
			l.bad("appservices", "%s is listed twice", file)
			continue
		}
		text, err := src.ReadFile(file)
		if err != nil {
			l.bad("appservices", "%w", err)
			continue
		}
		var r registration
		if err := yaml.Unmarshal(text, &r); err != nil {
			l.bad("appservices", "%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
			continue
		}
		if err := r.check(); err != nil {
			for line := range strings.Lines(err.Error()) {
				l.bad("appservices", "%s: %s", file, strings.TrimSpace(line))
			}
			continue
		}
		for _, k := range [][2]string{{"id", *r.ID}, {"as_token", *r.ASToken}} {
			key := k[0] + " " + k[1]
			if other, ok := taken[key]; ok {
				l.bad("appservices", "%s: %s is that of %s too", file, k[0], other)
			}
			taken[key] = file
		}
	}
}

// check reports every missing required key and every invalid namespace.
func (r *registration) check() error {
	var errs []error
	for _, k := range []struct {
		key   string
		value *string
	}{{"id", r.ID}, {"as_token", r.ASToken}, {"hs_token", r.HSToken}, {"sender_localpart", r.SenderLocalpart}} {
		if k.value == nil || *k.value == "" {
			errs = append(errs, fmt.Errorf("missing required key %s", k.key))
		}
	}
	switch {
	case r.URL.IsZero():
		errs = append(errs, errors.New("missing required key url (null if the application service wants no traffic)"))
	case r.URL.Kind != yaml.ScalarNode || r.URL.Tag != "!!null" && !isHTTP(r.URL.Value):
		errs = append(errs, errors.New("url is not an http or https URL, nor null"))
	}
	if r.Namespaces == nil {
		return errors.Join(append(errs, errors.New("missing required key namespaces"))...)
	}
	for _, kind := range []string{"users", "aliases", "rooms"} {
		for i, ns := range (*r.Namespaces)[kind] {
			at := fmt.Sprintf("namespaces.%s[%d]", kind, i)
			if ns.Regex == nil || ns.Exclusive == nil {
				errs = append(errs, fmt.Errorf("%s: missing required key regex or exclusive", at))
			} else if _, err := regexp.Compile(*ns.Regex); err != nil {
				errs = append(errs, fmt.Errorf("%s.regex: %w", at, err))
			}
		}
	}
	return errors.Join(errs...)
}

func isHTTP(url string) bool {
	return strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")
}
