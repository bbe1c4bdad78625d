// SPDX-License-Identifier: Apache-2.0

package stateres

import "touchstone.example/api/id"

// An index gives event IDs consecutive numbers, from 0, in the order in which
// they are added.
type index struct {
	numbers map[id.EventID]int32
	ids     []id.EventID
}

func newIndex(size int) *index {
	return &index{numbers: make(map[id.EventID]int32, size), ids: make([]id.EventID, 0, size)}
}

// number returns the number of an ID, and adds the ID if it is new. If guess is
// its number, that saves the map look-up, which is most of the cost.
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
