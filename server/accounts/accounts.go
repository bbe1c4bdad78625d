// SPDX-License-Identifier: Apache-2.0

// Package accounts is the server's users and their authentication: registration,
// passwords, login and logout, access tokens, devices and user-interactive
// authentication. It must not know what users do in rooms.
package accounts

import (
	"context"
	"log/slog"
	"sync/atomic"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/extraapi"
	"touchstone.example/server/config"
	"touchstone.example/server/devicelists"
	"touchstone.example/server/env"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

var (
	_ clientapi.Registration     = (*Accounts)(nil)
	_ clientapi.Login            = (*Accounts)(nil)
	_ clientapi.Logout           = (*Accounts)(nil)
	_ clientapi.Whoami           = (*Accounts)(nil)
	_ clientapi.DeviceManagement = (*Accounts)(nil)
	_ extraapi.SynapseRegister   = (*Accounts)(nil)
)

// Deps are what Accounts works with.
type Deps struct {
	DB           *storage.DB
	Feed         *feed.Feed
	Env          *env.Env
	Log          *slog.Logger
	Name         id.ServerName
	Registration config.Registration
	Passwords    config.Passwords
	// WellKnown is the base URL to tell clients at login, empty for none.
	WellKnown string
	// Limits turns on the limits on wrong passwords and tokens.
	Limits bool
	// GuestJoinByName is a departure from the specification: guests may call joinRoom.
	GuestJoinByName bool
	// Address is a request's client address, empty if not known. It may be nil.
	Address func(ctx context.Context) string
}

// Accounts serves the accounts of one server.
type Accounts struct {
	Deps
	hasher *hasher
	tokens tokenCache
	begun  atomic.Int64 // sessions of nobody's
}

// New returns the accounts of a database.
func New(d Deps) *Accounts {
	return &Accounts{Deps: d, hasher: newHasher(d.Passwords, d.Limits)}
}

// revoke writes the change that makes every process drop the user's tokens from its
// cache, and returns its position. Call it last in a transaction.
func revoke(ctx context.Context, tx *storage.Writer, user id.UserID) (int64, error) {
	pos, err := tx.ReservePosition(ctx)
	if err != nil {
		return 0, err
	}
	return pos, tx.InsertChange(ctx, storage.Change{Pos: pos, Kind: string(feed.KindAccess), UserID: string(user)})
}

// revoking runs a write that takes away a user's access and returns the devices that it
// deletes; their keys are deleted too. When revoking returns, no process accepts the
// tokens any more.
func (a *Accounts) revoking(ctx context.Context, user id.UserID, write func(tx *storage.Writer) ([]id.DeviceID, error)) error {
	var pos int64
	err := a.DB.Write(ctx, func(tx *storage.Writer) (err error) {
		if _, err = tx.LockUser(ctx, user); err != nil {
			return err
		}
		deleted, err := write(tx)
		if err != nil {
			return err
		}
		if err = tx.PutJob(ctx, JobDevices, string(user), nil, 0, a.Env.NowTS()); err != nil {
			return err
		}
		if _, err = devicelists.Deleted(ctx, tx, user, deleted); err != nil {
			return err
		}
		pos, err = revoke(ctx, tx, user)
		return err
	})
	if err != nil {
		return err
	}
	return a.Feed.WaitFor(ctx, pos)
}

// done answers an operation that returns nothing.
func done(err error) (*api.Empty, error) {
	if err != nil {
		return nil, err
	}
	return &api.Empty{}, nil
}
