// SPDX-License-Identifier: Apache-2.0

package roomcreate

import (
	"context"
	"errors"
	"slices"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/server/roomerrors"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
)

// A step builds one event of the new room, of a type.
type step struct {
	typ   string
	build func(context.Context, *rooms.Head) (*rooms.Planned, error)
}

// A builder makes the events of a new room, each after the one before.
type builder struct {
	head *rooms.Head
	plan *rooms.Plan
}

// plan builds all events of the new room.
func (c *creation) plan(ctx context.Context, head *rooms.Head) (*rooms.Plan, error) {
	steps, err := c.steps(ctx)
	if err != nil {
		return nil, err
	}
	b, size := &builder{head: head, plan: &rooms.Plan{}}, 0
	for _, s := range steps {
		p, err := b.add(ctx, s)
		if err != nil {
			return nil, err
		}
		if p == nil {
			continue
		}
		if size += len(p.PDU()); size > maxRoomBytes {
			return nil, api.TooLarge("The events of the room have more than %d bytes together", maxRoomBytes)
		}
	}
	if c.alias != "" {
		b.plan.ExtraWrites = func(ctx context.Context, tx *storage.Writer) error {
			return c.insertAlias(ctx, tx, head.RoomNID())
		}
	}
	return b.plan, c.inviteAddresses(ctx, b)
}

// add builds an event after those before it, or none if it invites a user who blocks
// invitations.
//
// Spec: client-server createRoom, 400 M_INVALID_ROOM_STATE; "Invite permission": "It is
// possible for one of the invited users to be rejected whilst the room creation as a
// whole succeeds."
func (b *builder) add(ctx context.Context, s step) (*rooms.Planned, error) {
	p, err := s.build(ctx, b.head)
	var refusal *rooms.Refusal
	if errors.As(err, &refusal) && refusal.Rule == rooms.RuleInvitePermission {
		return nil, nil
	}
	if errors.As(err, &refusal) {
		return nil, api.InvalidRoomState("%s: %s", s.typ, refusal.Reason)
	}
	if err != nil {
		return nil, roomerrors.ToClient(err, b.head.RoomID())
	}
	b.head, b.plan.Events = b.head.After(p), append(b.plan.Events, p)
	return p, nil
}

// insertAlias gives the new room its alias.
func (c *creation) insertAlias(ctx context.Context, tx *storage.Writer, roomNID int64) error {
	err := tx.InsertAlias(ctx, storage.Alias{
		Alias: c.alias, RoomNID: roomNID, Creator: c.who.User, CreatedAt: c.Env.NowTS(),
	})
	if errors.Is(err, storage.ErrExists) {
		return api.RoomInUse("The alias %s is taken", c.alias)
	}
	return err
}

// steps lists the events of the new room in their order.
//
// Spec: client-server createRoom, steps 1 to 8.
func (c *creation) steps(ctx context.Context) ([]step, error) {
	creator := c.who.User
	// trusted_private_chat: invitees are like the creator. Creators are forever,
	// and so only those whom the request names, no identity server.
	var equals, creators []id.UserID
	if c.preset == "trusted_private_chat" {
		equals, creators = c.invited, c.body.Invite
	}
	create, err := createContent(c.rules, creator, c.body.CreationContent, creators)
	if err != nil {
		return nil, api.BadJSON("creation_content: %s", err)
	}
	override, err := c.withoutCreators(ctx, c.body.PowerLevelContentOverride, create)
	if err != nil {
		return nil, api.BadJSON("power_level_content_override: %s", err)
	}
	levels, err := powerLevels(c.rules, creator, equals, override)
	if err != nil {
		return nil, api.BadJSON("power_level_content_override: %s", err)
	}
	out := []step{
		c.state(event.TypeCreate, "", create.Encode()),
		c.member(creator, "join", nil),
		c.state(event.TypePowerLevels, "", levels.Encode()),
	}
	if c.alias != "" {
		out = append(out, c.state("m.room.canonical_alias", "", raw.Object{"alias": c.alias}.Encode()))
	}
	out = append(out, c.presetSteps()...)
	for _, s := range c.body.InitialState {
		key := s.StateKey.Or("")
		if key == "" && (c.body.Name.Set && s.Type == "m.room.name" || c.body.Topic.Set && s.Type == "m.room.topic") {
			continue // overridden by name and topic
		}
		out = append(out, c.state(s.Type, key, s.Content))
	}
	if c.body.Name.Set {
		out = append(out, c.state("m.room.name", "", raw.Object{"name": c.body.Name.Value}.Encode()))
	}
	if c.body.Topic.Set {
		out = append(out, c.state("m.room.topic", "", topicContent(c.body.Topic.Value).Encode()))
	}
	return append(out, c.inviteSteps()...), nil
}

// presetSteps are the state events of the preset, but for those that
// initial_state takes the place of.
func (c *creation) presetSteps() []step {
	p := presets[c.preset]
	var out []step
	for _, s := range []step{
		c.state(event.TypeJoinRules, "", raw.Object{"join_rule": p.joinRule}.Encode()),
		c.state("m.room.history_visibility", "", raw.Object{"history_visibility": p.visibility}.Encode()),
		c.state("m.room.guest_access", "", raw.Object{"guest_access": p.guests}.Encode()),
	} {
		given := slices.ContainsFunc(c.body.InitialState, func(is clientapi.CreateRoomInitialState) bool {
			return is.Type == s.typ && is.StateKey.Or("") == ""
		})
		if !given {
			out = append(out, s)
		}
	}
	return out
}

// inviteSteps are the invitations, one for each user. One of the creator, who is
// in the room already, is for the rules to refuse.
func (c *creation) inviteSteps() []step {
	extra := raw.Object{}
	if c.body.IsDirect.Value {
		extra["is_direct"] = true
	}
	var out []step
	for _, u := range c.invited {
		out = append(out, c.member(u, "invite", extra))
	}
	return out
}

// state is the step of a state event.
func (c *creation) state(typ, key string, content raw.Raw) step {
	d := rooms.Draft{Sender: c.who.User, Type: typ, StateKey: &key, Content: content}
	return step{typ, func(ctx context.Context, head *rooms.Head) (*rooms.Planned, error) { return head.Build(ctx, d) }}
}

// member is the step of a membership.
func (c *creation) member(user id.UserID, membership string, extra raw.Object) step {
	m := rooms.MemberChange{Sender: c.who.User, User: user, Membership: membership, Extra: extra}
	return step{event.TypeMember, func(ctx context.Context, head *rooms.Head) (*rooms.Planned, error) {
		return head.BuildMember(ctx, m)
	}}
}
