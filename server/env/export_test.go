// SPDX-License-Identifier: Apache-2.0

package env

// Counters returns how many counters the Rand holds in memory.
func (r *Rand) Counters() int { return len(r.counts) + len(r.shared) }
