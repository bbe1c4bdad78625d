// SPDX-License-Identifier: Apache-2.0

// Package chance makes the same random choices from the same seed, on every
// machine and with every release of Go.
package chance

// A Dice is a seeded source of chance (SplitMix64). Its value is its seed.
type Dice uint64

// Roll returns a number from 0 to n-1.
func (d *Dice) Roll(n int) int {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

// OneIn is true once in n times.
func (d *Dice) OneIn(n int) bool { return d.Roll(n) == 0 }

// Pick returns one of the values.
func Pick[T any](d *Dice, from ...T) T { return from[d.Roll(len(from))] }
