// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/tests/slicetest"
)

// An event that was stored before its policy server was asked, as one of an auth
// chain, may come with its signature, or have the server asked.
func TestCheck7AsksAboutOutliersToo(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		policy := event.Signer{Name: "hs3", KeyID: "ed25519:policy_server", Key: signerOf("policy").Key}
		public := event.EncodeBase64(policy.Key.Public().(ed25519.PublicKey))
		sign := func(ev *event.Event) *event.Event {
			signed, err := ev.Sign(policy)
			require.NoError(t, err)
			return signed
		}
		for _, asked := range []bool{false, true} {
			m := h.shared("12", bob, carol)
			h.Set("alice", string(m.id), "m.room.policy", "", slicetest.O{"via": "hs3", "public_keys": slicetest.O{"ed25519": public}})
			h.learn()
			side := m.build(memberDraft(eve, eve, "join"), m.tips...)
			m.know(side)
			draft := messageDraft(eve, "from a fork")
			draft.AuthEvents = []id.EventID{m.current()[event.StateKey{Type: event.TypePowerLevels}], side.ID}
			e := m.build(draft, m.tips...)
			m.know(e)
			h.refused(rooms.Rejected, 5, "6", e.PDU())
			require.True(t, h.row(side.ID).Outlier)
			h.world.policy, h.world.asked = nil, nil
			sent := sign(side)
			if asked {
				h.world.policy = func(ev *event.Event) ([]byte, error) { return event.Member(sign(ev).PDU(), "signatures"), nil }
				sent = side
			}
			h.accepted(sent)
			require.Equal(t, asked, len(h.world.asked) == 1, "%v", h.world.asked)
			require.Equal(t, "join", h.membershipOf(eve))
		}
	})
}

// A redaction that clients do not see may be what takes soft-failed state in.
func TestAHiddenRedactionChangesTheState(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		policy := event.Signer{Name: "hs3", KeyID: "ed25519:policy_server", Key: signerOf("policy").Key}
		m := h.shared("12", bob, carol)
		kept := h.accepted(m.build(messageDraft(bob, "kept"), m.tips...))
		public := event.EncodeBase64(policy.Key.Public().(ed25519.PublicKey))
		h.Set("alice", string(m.id), "m.room.policy", "", slicetest.O{"via": "hs3", "public_keys": slicetest.O{"ed25519": public}})
		h.learn()
		client := h.syncing("&use_state_after=true", "state_after")
		client.next()
		join := m.build(memberDraft(eve, eve, "join"), m.tips...)
		h.refused(rooms.SoftFailed, 7, "", join.PDU())
		m.know(join)
		by, err := m.build(event.Draft{Type: event.TypeRedaction, Sender: carol, Content: []byte(`{}`), Redacts: kept.ID}, join.ID).Sign(policy)
		require.NoError(t, err)
		require.Equal(t, rooms.Accepted, h.sends(by).Outcome)
		require.Zero(t, h.row(by.ID).Pos, "carol may not redact what bob said")
		require.Equal(t, "join", h.membershipOf(eve))
		client.next()
		require.Equal(t, join.ID, client.state[join.Key()])
		require.Empty(t, client.line)
	})
}

// A policy server's key is not among those that servers publish.
//
// Spec: server-server "Validating hashes and signatures on received events".
func TestCheck2SkipsThePolicyServersKey(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		policy := event.Signer{Name: "hs3", KeyID: "ed25519:policy_server", Key: signerOf("policy").Key}
		m := h.shared("12", bob, carol)
		// Whatever is asked for, hs3 says that it is its key.
		h.world.keys["hs3"] = rooms.VerifyKey{Key: signerOf("hs3").Key.Public().(ed25519.PublicKey), ValidUntilTS: farFuture}
		signed, err := m.build(messageDraft(carol, "x"), m.tips...).Sign(policy)
		require.NoError(t, err)
		h.accepted(signed)
		other, err := m.build(messageDraft(carol, "y"), m.tips...).WithoutSignature("hs3", "ed25519:1")
		require.NoError(t, err)
		policy.Key = signerOf("hs3").Key
		other, err = other.Sign(policy)
		require.NoError(t, err)
		h.refused(rooms.Dropped, 2, "", other.PDU())
	})
}
