// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/rooms"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// refused sees that an event is refused at a check, by a rule if one is named.
func (h *fixture) refused(outcome rooms.Outcome, check int, rule string, pdu []byte) rooms.ReceiveResult {
	h.T.Helper()
	receipt, err := h.Rooms.Receive(h.T.Context(), "hs2", h.world.model.id, pdu)
	require.NoError(h.T, err)
	require.Equal(h.T, []any{outcome, check}, []any{receipt.Outcome, receipt.Check}, "%v", receipt.Reason)
	var rejection *eventauth.Rejection
	if errors.As(receipt.Reason, &rejection) {
		require.Equal(h.T, rule, rejection.Rule, rejection.Reason)
	} else {
		require.Empty(h.T, rule, "%v", receipt.Reason)
	}
	return receipt
}

// timeline lists the bodies of the messages that alice sees, latest first.
func (h *fixture) timeline() (bodies []string) {
	h.T.Helper()
	chunk := h.OK("GET", roomtest.At(string(h.world.model.id), "messages")+"?dir=b&limit=100", "alice", nil).At("chunk")
	for _, e := range roomtest.List(h.T, chunk) {
		if body, ok := e.Content["body"].(string); ok && e.Type == "m.room.message" {
			bodies = append(bodies, body)
		}
	}
	return bodies
}

func TestCheck1DropsWhatIsNoEvent(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob)
		good := m.build(messageDraft(bob, "x"), m.tips...)
		for name, pdu := range map[string]string{
			"no JSON":          `{`,
			"no object":        `[]`,
			"no sender":        string(unlike(t, good, `"sender"`, `"sendr"`)),
			"a float":          string(unlike(t, good, `"msgtype":"m.text"`, `"msgtype":1.5`)),
			"two prev_events ": string(unlike(t, good, `"prev_events":[`, `"prev_events":[1,`)),
			"of another room":  string(unlike(t, good, string(m.id), "!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
		} {
			t.Run(name, func(t *testing.T) { h.in(t).refused(rooms.Dropped, 1, "", []byte(pdu)) })
		}
		receipt, err := h.Rooms.Receive(t.Context(), "hs2", "!unknown:hs2", good.PDU())
		require.NoError(t, err)
		require.Equal(t, rooms.Dropped, receipt.Outcome)
		h.accepted(good)
		again := h.sends(good)
		require.Equal(t, rooms.ReceiveResult{EventID: good.ID, Outcome: rooms.Accepted, Known: true}, again)
		h.agrees()
	})
}

func TestCheck2DropsWhatIsNotSigned(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for version, enforced := range map[string]bool{"4": false, "5": true} {
			m := h.shared(version, bob)
			key := signerOf("hs2").Key.Public().(ed25519.PublicKey)
			other := signerOf("hs3").Key.Public().(ed25519.PublicKey)
			for name, c := range map[string]struct {
				key rooms.VerifyKey
				ok  bool
			}{
				"valid":                 {rooms.VerifyKey{Key: key, ValidUntilTS: farFuture}, true},
				"another's key":         {rooms.VerifyKey{Key: other, ValidUntilTS: farFuture}, false},
				"not valid long enough": {rooms.VerifyKey{Key: key, ValidUntilTS: 1}, !enforced},
				"an old key of its day": {rooms.VerifyKey{Key: key, ExpiredTS: farFuture}, true},
				"an old key":            {rooms.VerifyKey{Key: key, ExpiredTS: 1}, false},
			} {
				t.Run(version+" "+name, func(t *testing.T) {
					h := h.in(t)
					h.world.keys["hs2"] = c.key
					e := m.build(messageDraft(bob, version+name), m.tips...)
					if c.ok {
						h.accepted(e)
					} else {
						h.refused(rooms.Dropped, 2, "", e.PDU())
					}
				})
				delete(h.world.keys, "hs2")
			}
			unsigned, err := m.build(messageDraft(bob, "unsigned"), m.tips...).WithoutSignature("hs2", "ed25519:1")
			require.NoError(t, err)
			h.refused(rooms.Dropped, 2, "", unsigned.PDU())
			h.agrees()
		}
	})
}

func TestCheck3RedactsWhatItsHashDoesNotCover(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob)
		e := m.build(messageDraft(bob, "honest"), m.tips...)
		receipt, err := h.Rooms.Receive(t.Context(), "hs2", m.id, unlike(t, e, "honest", "forged"))
		require.NoError(t, err)
		require.Equal(t, rooms.ReceiveResult{EventID: e.ID, Outcome: rooms.Accepted}, receipt)
		m.receive(e.Redact())
		require.Empty(t, h.timeline())
		require.Equal(t, e.Redact().PDU(), h.row(e.ID).PDU)
		h.agrees()
	})
}

func TestCheck4RejectsByAuthEvents(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob, carol)
		tips := m.tips
		find := func(typ, key string) id.EventID { return m.current()[event.StateKey{Type: typ, Key: key}] }
		draft := messageDraft(bob, "x")
		draft.AuthEvents = []id.EventID{find(event.TypePowerLevels, ""), find(event.TypeMember, string(bob)), find(event.TypeMember, string(carol))}
		e := m.build(draft, tips...)
		h.refused(rooms.Rejected, 4, "3.2", e.PDU())
		require.Equal(t, rooms.Rejected, m.receive(e))
		require.True(t, h.sends(e).Known)

		draft.AuthEvents = draft.AuthEvents[:1]
		e = m.build(draft, tips...)
		h.refused(rooms.Rejected, 4, "6", e.PDU())
		m.receive(e)

		ban := memberDraft(bob, carol, "ban")
		banned := m.build(ban, tips...)
		h.refused(rooms.Rejected, 4, "5.6.3", banned.PDU())
		m.receive(banned)
		draft = messageDraft(bob, "on a rejected event")
		draft.AuthEvents = []id.EventID{find(event.TypePowerLevels, ""), find(event.TypeMember, string(bob)), banned.ID}
		h.refused(rooms.Rejected, 4, "3.2", m.build(draft, tips...).PDU())
		h.accepted(m.build(messageDraft(carol, "after what was rejected"), banned.ID))
		require.Equal(t, []string{"after what was rejected"}, h.timeline())
		require.NotContains(t, m.tips, tips[0], "no new event follows what is before a rejected one")
		h.agrees()
	})
}

func TestCheck4AsksForAuthEvents(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob)
		side := m.build(memberDraft(carol, carol, "join"), m.tips...)
		m.know(side)
		draft := messageDraft(carol, "from a fork")
		draft.AuthEvents = []id.EventID{m.current()[event.StateKey{Type: event.TypePowerLevels}], side.ID}
		e := m.build(draft, m.tips...)
		m.know(e)
		h.world.hidden[side.ID] = true
		require.ErrorContains(t, h.refused(rooms.Dropped, 4, "", e.PDU()).Reason, string(side.ID))
		delete(h.world.hidden, side.ID)
		h.refused(rooms.Rejected, 5, "6", e.PDU())
		require.True(t, h.row(side.ID).Outlier)
		require.Equal(t, []string{"auth chain", "auth chain"}, h.world.asked)
		m.receive(e)
		require.Equal(t, "", h.membershipOf(carol))

		// The outlier becomes part of the room when it comes by itself.
		nid := h.row(side.ID).NID
		h.accepted(side)
		require.Equal(t, nid, h.row(side.ID).NID)
		require.Equal(t, "join", h.membershipOf(carol))
		h.agrees()
	})
}

func TestCheck5RejectsByTheStateBefore(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob)
		h.accepted(m.build(levelsDraft(m, 50, 0), m.tips...))
		joined := h.accepted(m.build(memberDraft(carol, carol, "join"), m.tips...))
		h.accepted(m.build(memberDraft(bob, carol, "ban"), m.tips...))
		draft := messageDraft(carol, "still here")
		draft.AuthEvents = []id.EventID{m.current()[event.StateKey{Type: event.TypePowerLevels}], joined.ID}
		e := m.build(draft, m.tips...)
		h.refused(rooms.Rejected, 5, "6", e.PDU())
		m.receive(e)
		require.Empty(t, h.timeline())
		h.agrees()
	})
}

// TestCheck6SoftFails is the example of the specification.
//
// Spec: server-server "Soft failure", "Example".
func TestCheck6SoftFails(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for version, rule := range map[string]string{"1": "6", "11": "5"} {
			m := h.shared(version, bob, carol)
			levels := levelsDraft(m, 60, 50)
			h.accepted(m.build(levels, m.tips...))
			a := m.tips
			b := h.accepted(m.build(memberDraft(bob, carol, "ban"), a...))
			c := m.build(topicDraft(carol, "evaded"), a...)
			h.refused(rooms.SoftFailed, 6, rule, c.PDU())
			m.receive(c)
			require.Equal(t, []id.EventID{b.ID}, m.tips)
			h.agrees()
			require.Equal(t, 404, h.Do("GET", roomtest.At(string(m.id), "state/m.room.topic/"), "alice", nil).Status)
			// An event of ours does not follow it.
			h.Send("alice", string(m.id), "ours")
			h.learn()
			h.agrees()
			d := h.accepted(m.build(messageDraft(bob, "D"), b.ID, c.ID))
			h.agrees()
			require.Equal(t, "D", h.timeline()[0])
			topic := h.Do("GET", roomtest.At(string(m.id), "state/m.room.topic/"), "alice", nil)
			if version == "1" {
				require.Equal(t, "evaded", topic.At("topic"), "in the original algorithm, the topic would be in the state")
			} else {
				require.Equal(t, 404, topic.Status, "later versions prioritise the ban")
			}
			require.Contains(t, m.tips, d.ID)
		}
	})
}

func TestCheck7AsksThePolicyServer(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob)
		policy := event.Signer{Name: "hs3", KeyID: "ed25519:policy_server", Key: signerOf("policy").Key}
		set := func(via string) {
			public := event.EncodeBase64(policy.Key.Public().(ed25519.PublicKey))
			h.Set("alice", string(m.id), "m.room.policy", "", slicetest.O{"via": via, "public_keys": slicetest.O{"ed25519": public}})
			h.learn()
		}
		set("hs3")
		h.accepted(m.build(messageDraft(bob, "nobody of hs3 is here"), m.tips...))
		h.world.policy = func(ev *event.Event) ([]byte, error) {
			signed, err := ev.Sign(policy)
			return event.Member(signed.PDU(), "signatures"), err
		}
		h.accepted(m.build(memberDraft(carol, carol, "join"), m.tips...))
		h.accepted(m.build(messageDraft(bob, "recommended"), m.tips...))
		require.Equal(t, "recommended", h.timeline()[0])

		h.world.policy = nil
		signed, err := m.build(messageDraft(bob, "signed"), m.tips...).Sign(policy)
		require.NoError(t, err)
		h.world.asked = nil
		h.accepted(signed)
		require.Empty(t, h.world.asked)
		spam := m.build(messageDraft(bob, "spam"), m.tips...)
		h.refused(rooms.SoftFailed, 7, "", spam.PDU())
		require.Equal(t, []string{"policy"}, h.world.asked)
		require.Equal(t, "signed", h.timeline()[0])

		// A forged signature is as good as none; a new one takes its place.
		forger := policy
		forger.Key = signerOf("forger").Key
		forged, err := m.build(messageDraft(bob, "forged"), m.tips...).Sign(forger)
		require.NoError(t, err)
		h.refused(rooms.SoftFailed, 7, "", forged.PDU())
		forged, err = m.build(messageDraft(bob, "signed anew"), m.tips...).Sign(forger)
		require.NoError(t, err)
		h.world.policy = func(ev *event.Event) ([]byte, error) {
			signed, err := ev.Sign(policy)
			return event.Member(signed.PDU(), "signatures"), err
		}
		h.accepted(forged)
		require.Equal(t, "signed anew", h.timeline()[0])

		// The policy itself needs no signature.
		h.world.policy = nil
		off := topicDraft(slicetest.User("alice"), "")
		off.Type, off.Content = "m.room.policy", []byte(`{}`)
		h.accepted(m.build(off, m.tips...))
		h.accepted(m.build(messageDraft(bob, "free again"), m.tips...))
		require.Equal(t, "free again", h.timeline()[0])
	})
}

func TestGapsAreClosed(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob)
		tip := m.tips
		one := m.build(messageDraft(bob, "one"), tip...)
		m.know(one)
		two := m.build(topicDraft(slicetest.User("alice"), "two"), one.ID)
		m.know(two)
		three := m.build(messageDraft(bob, "three"), two.ID)
		m.know(three)
		h.accepted(three)
		require.Equal(t, []string{"three", "one"}, h.timeline())
		require.Equal(t, []string{"missing events"}, h.world.asked)
		for _, e := range []*event.Event{one, two} {
			require.True(t, h.sends(e).Known)
		}
		require.Equal(t, []id.EventID{three.ID}, m.tips[:1])
		require.Equal(t, "two", h.State("alice", string(m.id), "m.room.topic", "").At("topic"))
	})
}

func TestTheStateBehindAGapIsAskedFor(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob)
		var last id.EventID
		prev := m.tips
		for n := range 30 { // more than are asked for at once
			e := m.build(topicDraft(slicetest.User("alice"), fmt.Sprint(n)), prev...)
			m.know(e)
			prev, last = []id.EventID{e.ID}, e.ID
		}
		e := m.build(messageDraft(bob, "behind the gap"), last)
		m.know(e)
		h.world.hidden[last] = true
		h.refused(rooms.Dropped, 0, "", e.PDU())
		delete(h.world.hidden, last)
		require.Equal(t, rooms.Accepted, h.sends(e).Outcome)
		require.Equal(t, "behind the gap", h.timeline()[0])
		require.Equal(t, "29", h.State("alice", string(m.id), "m.room.topic", "").At("topic"))
		require.Contains(t, h.world.asked, "state")
	})
}

func TestARejectedOutlierIsJudgedAnew(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		m := h.shared("12", bob)
		// B is dropped as long as A, which it follows, is nowhere to be had.
		a := m.build(messageDraft(bob, "A"), m.tips...)
		m.know(a)
		b := m.build(messageDraft(bob, "B"), a.ID)
		m.know(b)
		h.world.hidden[a.ID] = true
		h.refused(rooms.Dropped, 0, "", b.PDU())
		delete(h.world.hidden, a.ID)
		h.accepted(a)
		h.accepted(b)
		require.Equal(t, []string{"B", "A"}, h.timeline())
		h.agrees()
	})
}
