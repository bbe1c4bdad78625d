// SPDX-License-Identifier: Apache-2.0

package config

import "slices"

// The proposals that can be switched on before they are part of the specification.
const (
	// MSC3930 adds predefined push rules for polls.
	MSC3930 = "msc3930"
)

// proposals are all of them.
var proposals = []string{MSC3930}

// Proposed reports whether a proposal is switched on.
func (c *Config) Proposed(name string) bool { return slices.Contains(c.Unstable, name) }

func (l *loader) unstable() {
	for _, name := range l.cfg.Unstable {
		l.oneOf("unstable", name, proposals...)
	}
}
