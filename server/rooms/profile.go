// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"fmt"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/storage"
)

// UpdateProfile carries a user's present name and picture into the rooms that
// the user has joined. A room whose rules refuse it keeps the old ones.
//
// Spec: client-server "Events on Change of Profile Information".
func (r *Rooms) UpdateProfile(ctx context.Context, user id.UserID) error {
	var joined []*storage.Membership
	err := r.db.Read(ctx, func(tx *storage.Reader) (err error) {
		joined, err = tx.MembershipsOf(ctx, user, "join")
		return err
	})
	if err != nil {
		return fmt.Errorf("rooms of %s: %w", user, err)
	}
	fresh, err := r.memberContent(ctx, user, "join", api.Opt[string]{})
	if err != nil {
		return err
	}
	for _, m := range joined {
		var refusal *api.Error
		if err := r.updateMember(ctx, m.RoomNID, user, fresh); err != nil && !errors.As(err, &refusal) {
			return fmt.Errorf("update profile of %s: %w", user, err)
		}
	}
	return nil
}

// ofTheJoin are the members of content that say how the user came in. What
// follows the join must not say it again: nobody vouches for it.
//
// Spec: client-server m.room.member.
var ofTheJoin = []string{"reason", "third_party_invite", "join_authorised_via_users_server"}

// show makes content show a profile, and reports whether it did not yet.
func (o object) show(profile object) (changed bool) {
	for _, name := range []string{"displayname", "avatar_url"} {
		was, had := o[name].(api.Raw)
		is, has := profile[name].(api.Raw)
		if had == has && sameText(was, is) {
			continue
		}
		delete(o, name)
		if has {
			o[name] = is
		}
		changed = true
	}
	return changed
}

// sameText reports whether two JSON strings are the same, or both absent.
func sameText(a, b api.Raw) bool {
	s, isText := event.Text(a)
	other, isTextToo := event.Text(b)
	return isText == isTextToo && s == other
}

func (r *Rooms) updateMember(ctx context.Context, roomNID int64, user id.UserID, fresh object) error {
	key := event.StateKey{Type: event.TypeMember, Key: string(user)}
	_, err := r.add(ctx, roomNID, func(ctx context.Context, h *head) (*plan, error) {
		if err := h.ensure(ctx, r.db, key); err != nil {
			return nil, err
		}
		now := h.get(key.Type, key.Key)
		if now == nil || now.Membership() != "join" {
			return &plan{}, nil
		}
		content, err := members(now.Content)
		if err != nil {
			return nil, err
		}
		if !content.show(fresh) {
			return &plan{}, nil
		}
		for _, name := range ofTheJoin {
			delete(content, name)
		}
		p, err := r.extend(ctx, h, draft{Sender: user, Type: key.Type, StateKey: &key.Key, Content: content.encode()})
		if err != nil {
			return nil, err
		}
		return &plan{events: []*planned{p}}, nil
	})
	return err
}
