// SPDX-License-Identifier: Apache-2.0

package env

// Counters is how many counters the Rand keeps in memory.
func (r *Rand) Counters() int { return len(r.counts) + len(r.shared) }
