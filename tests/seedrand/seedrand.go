// SPDX-License-Identifier: Apache-2.0

// Package seedrand is a random generator for tests whose results depend only on
// the seed: they are the same on every machine and with every release of Go.
package seedrand

// A Dice is a random generator (SplitMix64). Its value is the seed.
type Dice uint64

// Roll returns a random number from 0 to n-1.
func (d *Dice) Roll(n int) int {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

// OneIn returns true with probability 1/n.
func (d *Dice) OneIn(n int) bool { return d.Roll(n) == 0 }

// Pick returns one of the values at random.
func Pick[T any](d *Dice, from ...T) T { return from[d.Roll(len(from))] }
