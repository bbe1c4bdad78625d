// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"maps"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
	"touchstone.example/storage"
)

// roomsAllowed lists the rooms whose members may join by the content of
// m.room.join_rules, and reports whether that is so at all. Entries that do
// not have the expected form are ignored.
//
// Spec: client-server m.room.join_rules, "allow".
func roomsAllowed(rules *roomver.Rules, content raw.Raw) (allowed []id.RoomID, restricted bool) {
	rule, _ := event.Text(event.Member(content, "join_rule"))
	if rule != "restricted" && (rule != "knock_restricted" || !rules.KnockRestricted) {
		return nil, false
	}
	for entry := range event.Elements(event.Member(content, "allow")) {
		typ, _ := event.Text(event.Member(entry, "type"))
		name, _ := event.Text(event.Member(entry, "room_id"))
		if roomID, err := id.ParseRoomID(name); err == nil && typ == "m.room_membership" {
			allowed = append(allowed, roomID)
		}
	}
	return allowed, true
}

// vouch sets join_authorised_via_users_server in a join to a restricted room, to a
// local member who may invite. Invited users need none.
//
// Spec: client-server "Restricted rooms"; server-server "Restricted rooms".
func (r *Rooms) setAuthorisingUser(ctx context.Context, h *head, user id.UserID, was string, content raw.Object) error {
	if !h.rules.Restricted || was == "join" || was == "invite" {
		return nil
	}
	if err := h.ensure(ctx, r.db, keyCreate, keyJoinRules, keyPowerLevels); err != nil {
		return err
	}
	ev := h.Event(event.TypeJoinRules, "")
	if ev == nil {
		return nil
	}
	allowed, restricted := roomsAllowed(h.rules, ev.Content)
	if !restricted {
		return nil
	}
	var voucher id.UserID
	err := r.db.Read(ctx, func(tx *storage.Reader) error {
		in, err := joinedAny(ctx, tx, user, allowed)
		if err != nil {
			return err
		}
		if !in {
			return refuse(RuleRestricted, "You are in none of the rooms whose members may join %s", h.room.ID)
		}
		voucher, err = r.authorisingUser(ctx, tx, h)
		return err
	})
	if err == nil {
		content["join_authorised_via_users_server"] = voucher
	}
	return err
}

// vouchByState is the content of a join that a client wrote as state. The client must
// not choose join_authorised_via_users_server: a value copied from an older member
// event would need that server's signature on this one. It is dropped and set again.
func (r *Rooms) authoriseJoinByState(ctx context.Context, h *head, d Draft) (raw.Raw, error) {
	if !h.rules.Restricted || *d.StateKey != string(d.Sender) {
		return d.Content, nil
	}
	content, err := raw.Members(d.Content)
	if err != nil {
		return nil, &InvalidContent{Reason: err.Error()}
	}
	key := event.StateKey{Type: event.TypeMember, Key: *d.StateKey}
	if err := h.ensure(ctx, r.db, key); err != nil {
		return nil, err
	}
	was := ""
	if s := h.get(key.Type, key.Key); s != nil {
		was = s.Membership()
	}
	delete(content, "join_authorised_via_users_server")
	if err := r.setAuthorisingUser(ctx, h, d.Sender, was, content); err != nil {
		return nil, err
	}
	return content.Encode(), nil
}

// joinedAny reports whether a user is joined to any of the rooms.
func joinedAny(ctx context.Context, tx *storage.Reader, user id.UserID, rooms []id.RoomID) (bool, error) {
	nids, err := tx.RoomNIDs(ctx, rooms)
	if err != nil || len(nids) == 0 {
		return false, err
	}
	memberships, err := tx.MembershipsIn(ctx, user, slices.Collect(maps.Values(nids)))
	return slices.ContainsFunc(memberships, func(m *storage.Membership) bool { return m.Membership == "join" }), err
}

// inviter returns a member of the room on this server who may invite.
func (r *Rooms) authorisingUser(ctx context.Context, tx *storage.Reader, h *head) (id.UserID, error) {
	levels := eventauth.PowerLevelsOf(h.rules, h)
	members, err := tx.LocalMembers(ctx, h.room.NID, "join")
	if err != nil {
		return "", err
	}
	for _, u := range members {
		if levels.User(u) >= levels.Invite() {
			return u, nil
		}
	}
	return "", refuse(RuleRestricted, "Nobody on this server may let users into %s", h.room.ID)
}

// Keys of the state that most rules look at.
var (
	keyCreate      = event.StateKey{Type: event.TypeCreate}
	keyJoinRules   = event.StateKey{Type: event.TypeJoinRules}
	keyPowerLevels = event.StateKey{Type: event.TypePowerLevels}
)
