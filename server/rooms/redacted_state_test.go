// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// redacts has alice redact a state event of the model's room, here or from afar.
func (h *fixture) redacts(typ, key string, here bool) {
	h.T.Helper()
	m := h.world.model
	target := m.current()[event.StateKey{Type: typ, Key: key}]
	require.NotEmpty(h.T, target)
	if here {
		h.OK("PUT", roomtest.At(string(m.id), "redact/{}/{}", target, target), "alice", slicetest.O{})
		h.learn()
		return
	}
	h.accepted(m.build(event.Draft{Type: event.TypeRedaction, Sender: bob, Content: []byte(`{}`), Redacts: target}, m.tips...))
}

// Spec: client-server "Redactions": "When redacted, state events behave as though
// their properties were simply not specified, except those protected by the
// redaction algorithm."
func TestRedactedStateIsJudgedByAsItIsLeft(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, here := range []bool{true, false} {
			for version, outcome := range map[string]rooms.Outcome{"1": rooms.Accepted, "10": rooms.Accepted, "11": rooms.Rejected, "12": rooms.Rejected} {
				m := h.shared(version, bob, carol)
				levels := levelsDraft(m, 100, 0)
				levels.Content = append(levels.Content[:len(levels.Content)-1], `,"invite":50}`...)
				h.accepted(m.build(levels, m.tips...))
				invite := func(target id.UserID) rooms.Outcome {
					e := m.build(memberDraft(carol, target, "invite"), m.tips...)
					m.know(e)
					return h.sends(e).Outcome
				}
				require.Equal(t, rooms.Rejected, invite("@before:hs2"))
				h.redacts(event.TypePowerLevels, "", here)
				require.Equal(t, outcome, invite("@after:hs2"), "version %s: the invite level is protected since version 11", version)
			}
		}
	})
}

func TestARedactedPolicyIsNone(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, here := range []bool{true, false} {
			m := h.shared("12", bob, carol)
			h.accepted(m.build(levelsDraft(m, 100, 0), m.tips...))
			public := event.EncodeBase64(signerOf("policy").Key.Public().(ed25519.PublicKey))
			h.Set("alice", string(m.id), "m.room.policy", "", slicetest.O{"via": "hs3", "public_keys": slicetest.O{"ed25519": public}})
			h.learn()
			h.refused(rooms.SoftFailed, 7, "", m.build(messageDraft(carol, "spam"), m.tips...).PDU())
			target := m.current()[event.StateKey{Type: "m.room.policy"}]
			redaction := event.Draft{Type: event.TypeRedaction, Sender: bob, Content: []byte(`{}`), Redacts: target}
			if here {
				h.redacts("m.room.policy", "", true)
			} else {
				signed, err := m.build(redaction, m.tips...).Sign(event.Signer{Name: "hs3", KeyID: "ed25519:policy_server", Key: signerOf("policy").Key})
				require.NoError(t, err)
				h.accepted(signed)
			}
			h.accepted(m.build(messageDraft(carol, "no policy any more"), m.tips...))
		}
	})
}
