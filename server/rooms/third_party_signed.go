// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"maps"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
)

// maxSigners bounds how many keys of one invitation are asked about.
const maxSigners = 4

// signedInvite checks that a user has the address that a third-party invite was
// sent to, and returns what builds the invitation that takes its place. Whether
// a key is still good is asked here, before the room's lane. Who is in the room
// already proves nothing and needs no invitation.
//
// Spec: client-server joinRoomById, "third_party_signed"; server-server
// "Third-party invites".
func (r *Rooms) signedInvite(ctx context.Context, nid int64, who api.Caller, signed *clientapi.ThirdPartySigned) (func(context.Context, *head) (*Planned, error), error) {
	content, _, err := r.memberContent(ctx, who.User, "invite", raw.Opt[string]{})
	if err != nil {
		return nil, err
	}
	build := func(ctx context.Context, h *head) (*Planned, *event.Event, error) {
		pending, err := r.pendingInvite(ctx, h, who.User, signed)
		if err != nil {
			return nil, nil, err
		}
		name, _ := pending.ContentText("display_name")
		content := maps.Clone(content) // it may run again
		content["third_party_invite"] = map[string]any{
			"display_name": name, "signed": raw.Raw(signed.AppendJSON(nil)),
		}
		key := string(who.User)
		p, err := r.extend(ctx, h, Draft{
			Sender: pending.Sender, Type: event.TypeMember, StateKey: &key, Content: content.Encode(),
		})
		return p, pending, err
	}
	h, err := r.loadHead(ctx, nid)
	if err != nil {
		return nil, err
	}
	if in, err := r.isIn(ctx, h, who.User); in || err != nil {
		return nil, err
	}
	p, looked, err := build(ctx, h)
	if err != nil {
		return nil, err
	}
	if err := r.confirm(ctx, looked, p.Event); err != nil {
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

func (r *Rooms) isIn(ctx context.Context, h *head, user id.UserID) (bool, error) {
	if err := h.ensure(ctx, r.db, event.StateKey{Type: event.TypeMember, Key: string(user)}); err != nil {
		return false, err
	}
	return eventauth.MembershipOf(h, user) == "join", nil
}

// pendingInvite finds the third-party invite that a signature takes up. It is
// answered once the user is out of the room after it, of own will or another's:
// else nobody could be kept out who has once had such an invitation.
func (r *Rooms) pendingInvite(ctx context.Context, h *head, user id.UserID, signed *clientapi.ThirdPartySigned) (*event.Event, error) {
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
func (r *Rooms) confirm(ctx context.Context, pending, invite *event.Event) error {
	signed := event.Member(invite.ContentMember("third_party_invite"), "signed")
	err := refuse(RuleThirdParty, "No key of the third-party invite has signed")
	return patiently(ctx, func(ctx context.Context) error {
		for _, key := range eventauth.SignedBy(pending, signed, maxSigners) {
			if err = r.identity.ConfirmKey(ctx, key); err == nil {
				return nil
			}
		}
		return err
	})
}
