// SPDX-License-Identifier: Apache-2.0

package roomcreate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/identityapi"
	"touchstone.example/server/event"
	"touchstone.example/server/idclient"
	"touchstone.example/server/roomerrors"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
)

// maxThirdParties bounds the addresses that one createRoom invites: each is up
// to three requests to a server that somebody else runs.
const maxThirdParties = 32

// lookUp looks up the users of a new room's third-party invitations.
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
	return idclient.WithTimeout(ctx, func(ctx context.Context) error {
		for _, a := range addresses {
			user, err := c.Identity.Lookup(ctx, a)
			if err == nil && user != "" {
				err = roomerrors.ToClient(c.Rooms.MayInvite(user), "")
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

// inviteAddresses asks identity servers to store the invitations of a new room, and
// plans their events. This is done last, when all other events are known to be allowed:
// an email that was sent cannot be undone.
func (c *creation) inviteAddresses(ctx context.Context, b *builder) error {
	if len(c.pending) == 0 {
		return nil
	}
	trial := &builder{head: b.head, plan: &rooms.Plan{}}
	if _, err := trial.add(ctx, c.thirdPartyInvite(&identityapi.StoreInviteV2Response{})); err != nil {
		return err
	}
	if err := c.checkNames(ctx, b.head.RoomID()); err != nil {
		return err
	}
	about, err := idclient.DescribeInvite(ctx, c.DB, b.head, c.who.User)
	if err != nil {
		return err
	}
	return idclient.WithTimeout(ctx, func(ctx context.Context) error {
		for _, a := range c.pending {
			stored, err := c.Identity.StoreInvite(ctx, a, about)
			if err != nil {
				return err
			}
			if _, err := b.add(ctx, c.thirdPartyInvite(stored)); err != nil {
				return err
			}
		}
		return nil
	})
}

// thirdPartyInvite is the step of the event that stands for an invitation until
// somebody takes it up.
func (c *creation) thirdPartyInvite(stored *identityapi.StoreInviteV2Response) step {
	return c.state(event.TypeThirdPartyInvite, stored.Token, idclient.InviteContent(stored))
}

// checkNames looks whether the alias is taken already, or the room's ID, which
// is ErrExists; the commit decides.
func (c *creation) checkNames(ctx context.Context, roomID id.RoomID) error {
	var aliasTaken, idTaken bool
	err := c.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		if idTaken, err = exists(tx.Room(ctx, roomID)); err != nil || c.alias == "" {
			return err
		}
		aliasTaken, err = exists(tx.Alias(ctx, c.alias))
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

// exists reports whether a row was found.
func exists[T any](_ T, err error) (bool, error) {
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
