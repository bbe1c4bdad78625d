// SPDX-License-Identifier: Apache-2.0

package config

// Paths lists every setting in the order of the structs.
func Paths() []string {
	var out []string
	for _, s := range settings {
		out = append(out, s.path)
	}
	return out
}
