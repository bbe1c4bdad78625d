// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
	"touchstone.example/storage"
)

// policyKey is the ID of the key with which policy servers sign.
//
// Spec: server-server "Validating Policy Server signatures".
const policyKey id.KeyID = "ed25519:policy_server"

const typePolicy = "m.room.policy"

// A policy is a room's m.room.policy. The zero value is that of a room without a policy
// server.
type policy struct {
	via id.ServerName
	key ed25519.PublicKey // nil if the room has no valid key
}

// A policyVerdict is the result of asking a policy server.
type policyVerdict struct {
	by     policy
	reason error // why the event is not recommended; nil if it is
}

// checkPolicy asks whether the room's policy server recommends the event. If
// its signature is not there, or does not hold, the server is asked for one.
//
// Spec: server-server "Checks performed on receipt of a PDU", 7; "Validating
// Policy Server signatures".
func (a *inbound) checkPolicy(ctx context.Context) error {
	if a.outcome != Accepted || a.ev.IsStateOf(typePolicy, "") {
		return nil
	}
	by, err := a.r.policyNow(ctx, a.rules, a.room.NID)
	if err != nil || by.via == "" {
		return err
	}
	a.policy = policyVerdict{by: by, reason: by.check(a.ev)}
	if a.policy.reason != nil && a.receivedSignatures != nil {
		_, a.policy.reason = by.recheck(a.ev, a.receivedSignatures)
	}
	if a.policy.reason == nil || a.r.remote == nil {
		return nil
	}
	signatures, err := a.r.remote.PolicySignature(ctx, by.via, a.ev)
	if err != nil {
		a.policy.reason = fmt.Errorf("policy server %s: %w", by.via, err)
		return nil
	}
	signed, err := by.recheck(a.ev, signatures)
	if a.policy.reason = err; err == nil && a.row == nil {
		a.ev = signed // the bytes of an event that is stored stay
	}
	return nil
}

// recheck looks at the policy server's signature among others, and returns the
// event with that in the place of its own.
func (p policy) recheck(ev *event.Event, signatures []byte) (*event.Event, error) {
	signed, err := ev.WithoutSignature(p.via, policyKey)
	if err == nil {
		signed, err = signed.AddSignatures(signatures)
	}
	if err == nil {
		err = p.check(signed)
	}
	return signed, err
}

// check looks at the policy server's signature on an event.
func (p policy) check(ev *event.Event) error {
	if err := ev.VerifySignature(p.via, policyKey, p.key); err != nil {
		return fmt.Errorf("policy server: %w", err)
	}
	return nil
}

// policyNow is the policy of a room's current state.
func (r *Rooms) policyNow(ctx context.Context, rules *roomver.Rules, roomNID int64) (p policy, err error) {
	err = r.db.Read(ctx, func(tx *storage.Reader) error {
		room, err := tx.RoomByNID(ctx, roomNID)
		if err != nil {
			return err
		}
		found, err := stateEvents(ctx, tx, rules, room.StateRoot, []storage.StateKey{{Type: typePolicy}})
		if err != nil || len(found) == 0 {
			return err
		}
		p = policyOf(found[0].Event)
		in, err := tx.ServerJoined(ctx, roomNID, p.via)
		if !in {
			p = policy{}
		}
		return err
	})
	return p, err
}

// policyOf reads m.room.policy. An invalid event counts as absent.
//
// Spec: server-server "Determining if a Policy Server is enabled in a room".
func policyOf(ev *event.Event) policy {
	via, named := ev.ContentText("via")
	key, keyed := event.Text(event.Member(ev.ContentMember("public_keys"), "ed25519"))
	if !named || !keyed {
		return policy{}
	}
	p := policy{via: id.ServerName(via)}
	if raw, err := event.DecodeBase64(key); err == nil && len(raw) == ed25519.PublicKeySize {
		p.key = raw
	}
	return p
}
