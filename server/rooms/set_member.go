// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/server/event"
)

// A MemberChange is a change of one user's membership.
type MemberChange struct {
	Sender     id.UserID
	Guest      bool      // the sender is a guest
	User       id.UserID // whose membership it is
	Membership string
	Reason     raw.Opt[string]
	Extra      raw.Object // further members of the content

	// From are the memberships that it may start from; nil: all from which the
	// authorization rules allow it. Whom these refuse does not learn what the
	// membership is.
	From []string
	// Idempotent says that nothing is done if the user already has the membership.
	Idempotent bool
	// ThirdParty, of a join, is the proof that the user has the address that a
	// third-party invite was sent to. The invitation goes before the join.
	ThirdParty *ThirdPartySigned
}

// SetMember changes a membership: joins, invites, leaves, kicks, bans. A *Refusal says
// why it may not be.
func (r *Rooms) SetMember(ctx context.Context, roomID id.RoomID, c MemberChange) error {
	nid, err := r.NID(ctx, roomID)
	if err != nil {
		return err
	}
	var invite func(context.Context, *head) (*Planned, error)
	if c.ThirdParty != nil {
		if invite, err = r.signedInvite(ctx, nid, c.User, c.ThirdParty); err != nil {
			return err
		}
	}
	_, err = r.runJob(ctx, nid, func(ctx context.Context, h *head) (*Plan, error) {
		return r.planMember(ctx, h, c, invite)
	})
	return err
}

// planMember plans a change of membership, and before it the invitation that a third
// party's signature stands for.
func (r *Rooms) planMember(ctx context.Context, h *head, c MemberChange, invite func(context.Context, *head) (*Planned, error)) (*Plan, error) {
	was, err := r.membership(ctx, h, c.User)
	if err != nil {
		return nil, err
	}
	if c.Idempotent && was == c.Membership {
		return &Plan{}, nil
	}
	out := &Plan{}
	if invite != nil {
		p, err := invite(ctx, h)
		if err != nil {
			return nil, err
		}
		if was != "invite" { // who is invited need not be invited again
			h, out.Events = h.after(p), append(out.Events, p)
		}
	}
	p, err := r.buildMember(ctx, h, c)
	if err == nil && c.From != nil && !slices.Contains(c.From, was) {
		err = refuse(RuleMembership, "The membership of %s is %s", c.User, cmp.Or(was, "leave"))
	}
	if err != nil {
		return nil, err
	}
	out.Events = append(out.Events, p)
	return out, nil
}

// membership returns a user's membership of the room, "" if there never was any.
func (r *Rooms) membership(ctx context.Context, h *head, user id.UserID) (string, error) {
	key := event.StateKey{Type: event.TypeMember, Key: string(user)}
	if err := h.ensure(ctx, r.db, key); err != nil {
		return "", err
	}
	if s := h.get(key.Type, key.Key); s != nil {
		return s.Membership(), nil
	}
	return "", nil
}

// buildMember builds the event of a change of membership. The profile of one of our
// users goes with invitations, knocks and joins, and a join shows what it is when it
// is committed.
//
// Spec: client-server m.room.member; "Profiles", "Events on Change of Profile
// Information".
func (r *Rooms) buildMember(ctx context.Context, h *head, c MemberChange) (*Planned, error) {
	content, shown, err := r.memberContent(ctx, c.User, c.Membership, c.Reason)
	if err != nil {
		return nil, err
	}
	maps.Copy(content, c.Extra)
	key := string(c.User)
	p, err := r.build(ctx, h, Draft{
		Sender: c.Sender, Guest: c.Guest, Type: event.TypeMember, StateKey: &key, Content: content.Encode(),
	})
	if err == nil && c.Membership == "join" {
		p.shows = shown
	}
	return p, err
}

// memberContent is the content of a membership event of a user, and the profile in it.
func (r *Rooms) memberContent(ctx context.Context, user id.UserID, membership string, reason raw.Opt[string]) (raw.Object, *profile, error) {
	content := raw.Object{"membership": membership}
	if reason.Set {
		content["reason"] = reason.Value
	}
	if membership != "join" && membership != "invite" && membership != "knock" || user.Server() != r.name {
		return content, nil, nil
	}
	p, err := r.readProfile(ctx, user)
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(content, p.shown)
	return content, &p, nil
}

// MayInvite refuses invitations of users that this server cannot reach.
func (r *Rooms) MayInvite(target id.UserID) error {
	if target.Server() != r.name {
		return refuse(RuleFederation, "User %s is on another server, and this server does not federate yet", target)
	}
	return nil
}

// MayInviteByState is MayInvite for an invitation that a client writes as state.
func (r *Rooms) MayInviteByState(typ, key string, content raw.Raw) error {
	target, err := id.ParseUserID(key)
	if err != nil || typ != event.TypeMember || membershipIn(content) != "invite" {
		return nil
	}
	return r.MayInvite(target)
}

// membershipIn reads the membership in content as a client wrote it, "" if there is
// none.
func membershipIn(content raw.Raw) string {
	m, err := raw.Members(content)
	if err != nil {
		return ""
	}
	value, _ := m["membership"].(raw.Raw)
	membership, _ := event.Text(value)
	return membership
}
