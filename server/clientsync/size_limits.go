// SPDX-License-Identifier: Apache-2.0

package clientsync

// Limits of the bytes of timelines. Where one is reached, a timeline is shorter
// than the filter allows, and limited. State is told whatever its size: there is
// no token for the rest of it.
const (
	maxTimelineBytes = 1 << 20 // of one room
	maxAnswerBytes   = 8 << 20 // of all rooms; each has at least one event
	// someEvents is how many are read of a room before their size is known.
	someEvents = 100
	// maxScanned bounds how many events of a room are looked at for those that
	// pass the filter. Beyond it the timeline is limited, and may be empty.
	maxScanned = 1000
)

// firstBatch is how many events to read where at most limit are wanted: one beyond
// tells whether there are more.
func firstBatch(limit int) int { return min(limit, someEvents) + 1 }

// full reports whether the timeline has as many bytes as it may.
func (p *roomUpdate) full() bool {
	for ; p.sizedEvents < len(p.timeline); p.sizedEvents++ {
		n := len(p.timeline[p.sizedEvents].Client)
		p.size += n
		p.answerBuilder.size += n
	}
	return p.size >= maxTimelineBytes || p.sizedEvents > 0 && p.answerBuilder.size >= maxAnswerBytes
}
