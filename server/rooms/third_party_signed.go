// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"maps"

	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
)

// maxSigners bounds how many keys of one invitation are asked about.
const maxSigners = 4

// ThirdPartySigned is what an identity server signs for a user who has proved to own an
// address.
type ThirdPartySigned struct {
	Sender id.UserID // who sent the invitation
	Token  string    // of the invitation
	Signed raw.Raw   // the whole object with its signatures
}

// signedInvite checks that a user has the address that a third-party invite was
// sent to, and returns what builds the invitation that takes its place. Whether
// a key is still good is asked here, before the room's lane. Who is in the room
// already proves nothing and needs no invitation.
//
// Spec: client-server joinRoomById, "third_party_signed"; server-server
// "Third-party invites".
func (r *Rooms) signedInvite(ctx context.Context, nid int64, user id.UserID, signed *ThirdPartySigned) (func(context.Context, *head) (*Planned, error), error) {
	content, _, err := r.memberContent(ctx, user, "invite", raw.Opt[string]{})
	if err != nil {
		return nil, err
	}
	build := func(ctx context.Context, h *head) (*Planned, *event.Event, error) {
		pending, err := r.pendingInvite(ctx, h, user, signed)
		if err != nil {
			return nil, nil, err
		}
		name, _ := pending.ContentText("display_name")
		content := maps.Clone(content) // it may run again
		content["third_party_invite"] = map[string]any{
			"display_name": name, "signed": signed.Signed,
		}
		key := string(user)
		p, err := r.buildEvent(ctx, h, Draft{
			Sender: pending.Sender, Type: event.TypeMember, StateKey: &key, Content: content.Encode(),
		})
		return p, pending, err
	}
	h, err := r.loadHead(ctx, nid)
	if err != nil {
		return nil, err
	}
	if was, err := r.membership(ctx, h, user); was == "join" || err != nil {
		return nil, err
	}
	p, looked, err := build(ctx, h)
	if err != nil {
		return nil, err
	}
	if err := r.checkKeys(ctx, looked, p.Event); err != nil {
		return nil, err
	}
	return func(ctx context.Context, h *head) (*Planned, error) {
		p, now, err := build(ctx, h)
		if err == nil && now.ID != looked.ID {
			err = refuse(RuleThirdParty, "The third-party invite has just been replaced")
		}
		return p, err
	}, nil
}

// pendingInvite finds the third-party invite that a signature belongs to. An invite
// counts as used once the user has left or been removed after it; otherwise a kicked
// user could rejoin with the old token.
func (r *Rooms) pendingInvite(ctx context.Context, h *head, user id.UserID, signed *ThirdPartySigned) (*event.Event, error) {
	key := event.StateKey{Type: event.TypeThirdPartyInvite, Key: signed.Token}
	if err := h.ensure(ctx, r.db, key, event.StateKey{Type: event.TypeMember, Key: string(user)}); err != nil {
		return nil, err
	}
	invite := h.get(key.Type, key.Key)
	switch {
	case invite == nil:
		return nil, refuse(RuleThirdParty, "No third-party invite with this token is pending")
	case invite.Sender != signed.Sender:
		return nil, refuse(RuleThirdParty, "The third-party invite is not of the sender whom third_party_signed names")
	case invite.Sender.Server() != r.name:
		return nil, refuse(RuleThirdParty, "The third-party invite is of a user of another server, and this server does not federate yet")
	}
	if last := h.get(event.TypeMember, string(user)); last != nil && last.Membership() == "leave" && last.depth > invite.depth {
		return nil, refuse(RuleThirdParty, "The third-party invite was answered already")
	}
	return invite.Event, nil
}

// confirm asks whether a key that signed an invitation is still good; one is
// enough.
//
// Spec: client-server joinRoomById, "perform key validity checking if required
// by the event".
func (r *Rooms) checkKeys(ctx context.Context, pending, invite *event.Event) error {
	signed := event.Member(invite.ContentMember("third_party_invite"), "signed")
	keys := eventauth.SignedBy(pending, signed, maxSigners)
	if len(keys) == 0 {
		return refuse(RuleThirdParty, "No key of the third-party invite has signed")
	}
	return r.identity.ConfirmAnyKey(ctx, keys)
}
