// SPDX-License-Identifier: Apache-2.0

package clientsync

// Limits of timelines in bytes. A timeline that reaches one is cut and marked as
// limited. State is sent whatever its size, since there is no token for the rest of it.
const (
	maxTimelineBytes = 1 << 20 // of one room
	maxAnswerBytes   = 8 << 20 // of all rooms; each has at least one event
	// someEvents is how many events of a room are read before their size is known.
	someEvents = 100
	// maxScanned bounds how many events of a room are read to find some that pass the
	// filter. After that the timeline is limited, and may be empty.
	maxScanned = 1000
)

// firstBatch is how many events to read for a timeline of at most limit: one more tells
// whether there are others.
func firstBatch(limit int) int { return min(limit, someEvents) + 1 }

// full reports whether the timeline or the answer has reached its limit of bytes.
func (p *roomUpdate) full() bool {
	for ; p.sizedEvents < len(p.timeline); p.sizedEvents++ {
		n := len(p.timeline[p.sizedEvents].Client)
		p.size += n
		p.answerBuilder.size += n
	}
	return p.size >= maxTimelineBytes || p.sizedEvents > 0 && p.answerBuilder.size >= maxAnswerBytes
}
