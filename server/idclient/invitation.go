// SPDX-License-Identifier: Apache-2.0

package idclient

import (
	"context"
	"fmt"
	"time"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/generated/identityapi"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/storage"
)

// timeout bounds how long identity servers may delay the answer to one request of
// a client.
const timeout = 30 * time.Second

// WithTimeout asks identity servers, so many as one request of a client needs.
func WithTimeout(ctx context.Context, ask func(context.Context) error) error {
	asking, done := context.WithTimeout(ctx, timeout)
	defer done()
	err := ask(asking)
	if err != nil && asking.Err() != nil && ctx.Err() == nil {
		return api.Unknown("The identity servers take too long")
	}
	return err
}

// ConfirmAnyKey asks whether one of some keys, of which there is at least one, is
// still valid.
func (c *Client) ConfirmAnyKey(ctx context.Context, keys []eventauth.InviteKey) error {
	return WithTimeout(ctx, func(ctx context.Context) (err error) {
		for _, key := range keys {
			if err = c.ConfirmKey(ctx, key); err == nil {
				return nil
			}
		}
		return err
	})
}

// InviteContent is the content of the m.room.third_party_invite for an invitation
// that an identity server has stored. Its state key is the invitation's token.
//
// Spec: client-server m.room.third_party_invite. public_key is there "for
// backwards compatibility": the first is the server's own, the lasting one.
func InviteContent(stored *identityapi.StoreInviteV2Response) raw.Raw {
	keys := []any{}
	for _, k := range stored.PublicKeys {
		keys = append(keys, map[string]any{"public_key": k.PublicKey, "key_validity_url": k.KeyValidityURL})
	}
	content := raw.Object{"display_name": stored.DisplayName, "public_keys": keys}
	if len(stored.PublicKeys) > 0 {
		content["public_key"] = stored.PublicKeys[0].PublicKey
		content["key_validity_url"] = stored.PublicKeys[0].KeyValidityURL
	}
	return content.Encode()
}

// A Room is the room that an invitation is to.
type Room interface {
	RoomID() id.RoomID
	// Event is the current state at a key, nil if there is none.
	Event(ctx context.Context, typ, stateKey string) (*event.Event, error)
}

// DescribeInvite is what an identity server may write to the person who is invited.
//
// Spec: identity storeInviteV2: "to the best of the server's ability".
func DescribeInvite(ctx context.Context, db *storage.DB, room Room, sender id.UserID) (identityapi.StoreInviteV2Body, error) {
	about := identityapi.StoreInviteV2Body{RoomID: room.RoomID(), Sender: sender}
	var alias, avatar api.Opt[string]
	for _, member := range []struct {
		typ, name string
		out       *api.Opt[string]
	}{
		{"m.room.name", "name", &about.RoomName},
		{event.TypeCreate, "type", &about.RoomType},
		{event.TypeJoinRules, "join_rule", &about.RoomJoinRules},
		{"m.room.canonical_alias", "alias", &alias},
		{"m.room.avatar", "url", &avatar},
	} {
		ev, err := room.Event(ctx, member.typ, "")
		if err != nil {
			return about, err
		}
		if ev == nil {
			continue
		}
		if text, ok := ev.ContentText(member.name); ok && text != "" {
			*member.out = api.Some(text)
		}
	}
	about.RoomAlias = valid(alias, id.ParseRoomAlias)
	about.RoomAvatarURL = valid(avatar, id.ParseMXC)
	err := db.Read(ctx, func(tx *storage.Reader) error { return describeSender(ctx, tx, &about) })
	if err != nil {
		return about, fmt.Errorf("profile of %s: %w", sender, err)
	}
	return about, nil
}

func describeSender(ctx context.Context, tx *storage.Reader, about *identityapi.StoreInviteV2Body) error {
	fields, err := tx.Profile(ctx, about.Sender)
	for _, f := range fields {
		value, ok := event.Text(raw.Raw(f.Value))
		switch {
		case !ok || value == "":
		case f.Name == "displayname":
			about.SenderDisplayName = api.Some(value)
		case f.Name == "avatar_url":
			about.SenderAvatarURL = valid(api.Some(value), id.ParseMXC)
		}
	}
	return err
}

// valid is a text that parses, or nothing.
func valid[T any](text api.Opt[string], parse func(string) (T, error)) (out api.Opt[T]) {
	if v, err := parse(text.Value); text.Set && err == nil {
		return api.Some(v)
	}
	return out
}
