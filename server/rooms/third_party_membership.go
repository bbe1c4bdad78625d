// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/identityapi"
	"touchstone.example/server/event"
	"touchstone.example/server/idclient"
	"touchstone.example/storage"
)

var _ clientapi.ThirdPartyMembership = (*Rooms)(nil)

// InviteBy3PID invites whoever has an address that is not Matrix's: the user
// whom the identity server knows it to be of, else whoever will prove to have
// it.
//
// Spec: client-server inviteBy3PID; "Third-party Invites", "Server behaviour".
func (r *Rooms) InviteBy3PID(ctx context.Context, who api.Caller, req *clientapi.InviteBy3PIDRequest) (*api.Empty, error) {
	a, err := idclient.Read(&req.Body)
	if err != nil {
		return nil, err
	}
	nid, err := r.NID(ctx, req.RoomID)
	if err != nil {
		return nil, answerTo(err, req.RoomID)
	}
	h, err := r.loadHead(ctx, nid)
	if err != nil {
		return nil, err
	}
	// Nobody is asked, and no mail sent, for a user who may not invite.
	if _, err := r.extend(ctx, h, thirdPartyInvite(who, &identityapi.StoreInviteV2Response{})); err != nil {
		return nil, answerTo(err, req.RoomID)
	}
	about, err := r.invitation(ctx, h, who)
	if err != nil {
		return nil, err
	}
	var user id.UserID
	var kept *identityapi.StoreInviteV2Response
	err = patiently(ctx, func(ctx context.Context) (err error) {
		if user, err = r.identity.Lookup(ctx, a); err == nil && user == "" {
			kept, err = r.identity.StoreInvite(ctx, a, about)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if user != "" {
		return r.InviteUser(ctx, who, &clientapi.InviteUserRequest{
			RoomID: req.RoomID, Body: clientapi.InviteUserBody{UserID: user},
		})
	}
	_, err = r.add(ctx, nid, func(ctx context.Context, h *head) (*Plan, error) {
		p, err := r.extend(ctx, h, thirdPartyInvite(who, kept))
		return &Plan{Events: []*Planned{p}}, err
	})
	return done(answerTo(err, req.RoomID))
}

// patience bounds how long identity servers may keep a client's request.
const patience = 30 * time.Second

// patiently asks identity servers.
func patiently(ctx context.Context, ask func(context.Context) error) error {
	asking, done := context.WithTimeout(ctx, patience)
	defer done()
	err := ask(asking)
	if err != nil && asking.Err() != nil && ctx.Err() == nil {
		return api.Unknown("The identity servers take too long")
	}
	return err
}

// thirdPartyInvite is the event that stands for an invitation until somebody
// takes it up.
//
// Spec: client-server m.room.third_party_invite. public_key is there "for
// backwards compatibility": the first is the server's own, the lasting one.
func thirdPartyInvite(who api.Caller, kept *identityapi.StoreInviteV2Response) Draft {
	keys := []any{}
	for _, k := range kept.PublicKeys {
		keys = append(keys, map[string]any{"public_key": k.PublicKey, "key_validity_url": k.KeyValidityURL})
	}
	content := raw.Object{"display_name": kept.DisplayName, "public_keys": keys}
	if len(kept.PublicKeys) > 0 {
		content["public_key"] = kept.PublicKeys[0].PublicKey
		content["key_validity_url"] = kept.PublicKeys[0].KeyValidityURL
	}
	return Draft{Sender: who.User, Type: event.TypeThirdPartyInvite, StateKey: &kept.Token, Content: content.Encode()}
}

// invitation is what an identity server may write to the person who is invited.
//
// Spec: identity storeInviteV2: "to the best of the server's ability".
func (r *Rooms) invitation(ctx context.Context, h *head, who api.Caller) (identityapi.StoreInviteV2Body, error) {
	about := identityapi.StoreInviteV2Body{RoomID: h.room.ID, Sender: who.User}
	text := func(typ, name string) api.Opt[string] {
		if ev := h.Event(typ, ""); ev != nil {
			if s, ok := ev.ContentText(name); ok && s != "" {
				return api.Some(s)
			}
		}
		return api.Opt[string]{}
	}
	const name, avatar = "m.room.name", "m.room.avatar"
	if err := h.ensure(ctx, r.db, keyCreate, keyJoinRules, event.StateKey{Type: name},
		event.StateKey{Type: avatar}, event.StateKey{Type: typeCanonicalAlias}); err != nil {
		return about, err
	}
	about.RoomName = text(name, "name")
	about.RoomType = text(event.TypeCreate, "type")
	about.RoomJoinRules = text(event.TypeJoinRules, "join_rule")
	about.RoomAlias = valid(text(typeCanonicalAlias, "alias"), id.ParseRoomAlias)
	about.RoomAvatarURL = valid(text(avatar, "url"), id.ParseMXC)
	err := r.db.Read(ctx, func(tx *storage.Reader) error {
		fields, err := tx.Profile(ctx, who.User)
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
	})
	if err != nil {
		return about, fmt.Errorf("profile of %s: %w", who.User, err)
	}
	return about, nil
}

// valid is a text that parses, or nothing.
func valid[T any](text api.Opt[string], parse func(string) (T, error)) (out api.Opt[T]) {
	if v, err := parse(text.Value); text.Set && err == nil {
		return api.Some(v)
	}
	return out
}

// maxThirdParties bounds the addresses that one createRoom invites: each is up
// to three requests to a server that somebody else runs.
const maxThirdParties = 32

// lookUp finds whom a new room's invitations are for.
func (c *creation) lookUp(ctx context.Context) error {
	invite := func(u id.UserID) {
		if !slices.Contains(c.invited, u) {
			c.invited = append(c.invited, u)
		}
	}
	for _, u := range c.body.Invite {
		invite(u)
	}
	if len(c.body.Invite3PID) > maxThirdParties {
		return api.InvalidParam("invite_3pid: more than %d at once", maxThirdParties)
	}
	var addresses []idclient.Address
	for i := range c.body.Invite3PID {
		a, err := idclient.Read(&c.body.Invite3PID[i])
		if err != nil {
			return err
		}
		if !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	return patiently(ctx, func(ctx context.Context) error {
		for _, a := range addresses {
			user, err := c.r.identity.Lookup(ctx, a)
			if err == nil && user != "" {
				err = answerTo(c.r.MayInvite(user), "")
			}
			switch {
			case err != nil:
				return err
			case user != "":
				invite(user)
			default:
				c.pending = append(c.pending, a)
			}
		}
		return nil
	})
}

// inviteAddresses has identity servers keep the invitations of a new room, and
// plans the events for them. They come last, when all else is known to be
// allowed: what an identity server has sent cannot be taken back.
func (c *creation) inviteAddresses(ctx context.Context, p *Plan) error {
	if len(c.pending) == 0 {
		return nil
	}
	trial := thirdPartyInvite(c.who, &identityapi.StoreInviteV2Response{})
	if _, err := c.r.extend(ctx, c.head, trial); err != nil {
		return c.refused(trial, err)
	}
	if err := c.namesFree(ctx); err != nil {
		return err
	}
	about, err := c.r.invitation(ctx, c.head, c.who)
	if err != nil {
		return err
	}
	return patiently(ctx, func(ctx context.Context) error {
		for _, a := range c.pending {
			kept, err := c.r.identity.StoreInvite(ctx, a, about)
			if err != nil {
				return err
			}
			d := thirdPartyInvite(c.who, kept)
			ev, err := c.r.extend(ctx, c.head, d)
			if err != nil {
				return c.refused(d, err)
			}
			c.head.applyPlanned(ev)
			p.Events = append(p.Events, ev)
		}
		return nil
	})
}

// namesFree looks whether the alias is taken already, or the room's ID, which
// is ErrExists; the commit decides.
func (c *creation) namesFree(ctx context.Context) error {
	var aliasTaken, idTaken bool
	err := c.r.db.Read(ctx, func(tx *storage.Reader) (err error) {
		if idTaken, err = isThere(tx.Room(ctx, c.head.room.ID)); err != nil || c.alias == "" {
			return err
		}
		aliasTaken, err = isThere(tx.Alias(ctx, c.alias))
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("find the room or its alias: %w", err)
	case aliasTaken:
		return api.RoomInUse("The alias %s is taken", c.alias)
	case idTaken:
		return storage.ErrExists
	}
	return nil
}

// isThere reports whether a row was found.
func isThere[T any](_ T, err error) (bool, error) {
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
