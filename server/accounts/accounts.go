// SPDX-License-Identifier: Apache-2.0

// Package accounts is who people are here and how they prove it: registration,
// passwords, logging in and out, access tokens, devices and user-interactive
// authentication. It must not know what anybody does in a room.
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
	// Limits has wrong guesses at passwords and tokens limited.
	Limits bool
	// GuestJoinByName is a departure from the letter: guests may call joinRoom.
	GuestJoinByName bool
	// Address is where a request comes from, empty if nobody knows. It may be nil.
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

// revoke writes the change that makes every process forget what it remembers
// of a user's tokens, and returns its position. It is the last of a
// transaction's writes.
func revoke(ctx context.Context, tx *storage.Writer, user id.UserID) (int64, error) {
	pos, err := tx.ReservePosition(ctx)
	if err != nil {
		return 0, err
	}
	return pos, tx.InsertChange(ctx, storage.Change{Pos: pos, Kind: string(feed.KindAccess), UserID: string(user)})
}

// revoking runs a write that takes access from a user and returns the devices that
// it deletes, whose keys go with them. When revoking returns, this process gives no
// access any more, and the others have been told.
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
