// SPDX-License-Identifier: Apache-2.0

package stateres

import "touchstone.example/api/id"

// An index gives small numbers to event IDs, in the order in which they come: 0
// is the first.
type index struct {
	numbers map[id.EventID]int32
	ids     []id.EventID
}

func newIndex(size int) *index {
	return &index{numbers: make(map[id.EventID]int32, size), ids: make([]id.EventID, 0, size)}
}

// number returns the number of an ID, a new one if need be. A right guess at it
// saves the look-up, which is most of the cost.
func (x *index) number(eventID id.EventID, guess int32) int32 {
	if int(guess) < len(x.ids) && x.ids[guess] == eventID {
		return guess
	}
	n, ok := x.numbers[eventID]
	if !ok {
		n = int32(len(x.ids))
		x.numbers[eventID] = n
		x.ids = append(x.ids, eventID)
	}
	return n
}
