// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/tests/slicetest"
)

// A third-party invite needs no signature of its sender's server, since the rules
// look at that of the identity server. What is not such an invite any more once
// it is redacted has neither.
//
// Spec: server-server "Validating hashes and signatures on received events".
func TestAThirdPartyInviteThatIsRedactedIsNone(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for version, rule := range map[string]string{"1": "5.3.1.5", "3": "5.3.1.5", "10": "4.4.1.5", "11": "4.4.1.5", "12": "5.4.1.5"} {
			m := h.shared(version, bob)
			forge := func(token string) *event.Event {
				draft := memberDraft(slicetest.User("alice"), eve, "invite")
				draft.Content = []byte(`{"membership":"invite","third_party_invite":{"signed":{"mxid":"@eve:hs4","token":"` + token + `"}}}`)
				draft.EventID = id.EventID("$" + token + ":hs4")
				e, err := m.build(draft, m.tips...).WithoutSignature(slicetest.Name, "ed25519:1")
				require.NoError(t, err)
				e, err = e.Sign(signerOf("hs4"))
				require.NoError(t, err)
				return e
			}
			h.refused(rooms.Rejected, 4, rule, forge("whole").PDU())
			if m.rules.EventIDServerSigns {
				// An ID of the sender's server is not for others to take.
				taken := strings.Replace(string(forge("taken").PDU()), "$taken:hs4", "$taken:"+string(slicetest.Name), 1)
				h.refused(rooms.Dropped, 2, "", []byte(taken))
			}
			forged := unlike(t, forge("part"), `"token":"part"`, `"token":"spoilt"`)
			if m.rules.Redaction.ThirdPartySigned {
				h.refused(rooms.Rejected, 4, rule, forged)
			} else {
				h.refused(rooms.Dropped, 2, "", forged)
			}
			require.Equal(t, "", h.membershipOf(eve))
		}
	})
}

// Spec: room version 5, "Signing key validity period": "the lesser of
// valid_until_ts and 7 days into the future"; server-server "Validating hashes and
// signatures on received events": keys that expired "prior to" the event.
func TestKeysCountUpToTheirEnd(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		const week = 7 * 24 * 3600 * 1000
		key := signerOf("hs2").Key.Public().(ed25519.PublicKey)
		now := h.Clock.Now().UnixMilli()
		for version, enforced := range map[string]bool{"4": false, "5": true, "12": true} {
			m := h.shared(version, bob)
			try := func(ts int64, k rooms.VerifyKey, ok bool) {
				h.world.keys["hs2"] = k
				defer delete(h.world.keys, "hs2")
				draft := messageDraft(bob, "at a time")
				draft.OriginServerTS = ts
				e := m.build(draft, m.tips...)
				if ok {
					h.accepted(e)
				} else {
					h.refused(rooms.Dropped, 2, "", e.PDU())
				}
			}
			for ever := (rooms.VerifyKey{Key: key, ValidUntilTS: farFuture}); ever.Key != nil; ever.Key = nil {
				try(now+week, ever, true)
				try(now+week+1, ever, !enforced)
			}
			soon := rooms.VerifyKey{Key: key, ValidUntilTS: now + 5}
			try(now+5, soon, true)
			try(now+6, soon, !enforced)
			old := rooms.VerifyKey{Key: key, ExpiredTS: now + 5}
			try(now+4, old, true)
			try(now+5, old, true)
			try(now+6, old, false)
		}
	})
}
