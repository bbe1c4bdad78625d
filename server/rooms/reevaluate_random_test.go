// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"crypto/ed25519"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/tests/seedrand"
	"touchstone.example/tests/slicetest"
)

// TestTakingRejectionsBackAgreesWithTheText has servers fight over restricted
// rooms while the key of the server that lets people in cannot be had. When it
// can, and what was rejected comes again, the verdicts and the states around each
// event must be those of a model that has had the key from the start.
func TestTakingRejectionsBackAgreesWithTheText(t *testing.T) {
	const frank = id.UserID("@frank:hs5")
	each(t, func(t *testing.T, h *fixture) {
		back := 0
		for i := range *manyRooms / 2 {
			d := seedrand.Dice(1000 + i)
			m := h.shared(strconv.Itoa(8+i%5), bob, carol, frank)
			h.accepted(m.build(levelsDraft(m, 50, 50), m.tips...))
			rule := event.Draft{Type: event.TypeJoinRules, Sender: slicetest.User("alice"), StateKey: text(""), Content: []byte(`{"join_rule":"restricted"}`)}
			h.accepted(m.build(rule, m.tips...))
			h.world.keys["hs5"] = rooms.VerifyKey{Key: signerOf("hs5").Key.Public().(ed25519.PublicKey), ExpiredTS: 1}
			var sent []*event.Event
			for n := range 40 {
				draft := fight(&d, m, n)
				switch {
				case draft.Type == event.TypeRedaction, draft.Type == event.TypeJoinRules:
					continue
				case draft.Type == event.TypeMember && string(draft.Sender) == *draft.StateKey && d.OneIn(2):
					draft.Content = []byte(`{"join_authorised_via_users_server":"` + string(frank) + `","membership":"join"}`)
				}
				e, err := m.build(draft, recent(&d, m)...).Sign(signerOf("hs5"))
				require.NoError(t, err)
				if m.events[e.ID].Event != nil {
					continue
				}
				m.receive(e)
				if h.sends(e).Outcome == rooms.Rejected && !m.events[e.ID].Rejected {
					back++
				}
				sent = append(sent, e)
			}
			delete(h.world.keys, "hs5")
			for range 2 {
				for _, e := range sent {
					h.sends(e)
				}
			}
			h.agreesAround(sent)
		}
		require.Greater(t, back, *manyRooms, "rejections that were taken back")
	})
}
