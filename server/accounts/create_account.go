// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"errors"
	"fmt"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/storage"
)

// A registration is an account that is about to be created.
type registration struct {
	kind        string
	localpart   string // empty: the server chooses
	password    string // empty: none
	displayName string // empty: the localpart, except for guests
	admin       bool
	upgrade     bool // the name is a guest's, whose account is upgraded
	login       bool
	device      requestedDevice
	session     *session // the session that this completes, if there is one

	chosen bool // chosen by the client, so its localpart is known
}

// createAccount creates the account, and its first device if it logs in at once.
func (a *Accounts) createAccount(ctx context.Context, n *registration) (user id.UserID, g *newLogin, err error) {
	n.chosen = n.localpart != ""
	var pos int64
	row := &storage.User{Kind: n.kind, Admin: n.admin, CreatedAt: a.Env.NowTS()}
	err = retryIfTaken(func() error {
		if !n.chosen {
			n.localpart = lower(a.Env.Rand.Token("localpart", n.kind, 12))
		}
		if user, err = a.newUserID(n.localpart); err != nil {
			return err
		}
		if n.password != "" && user != row.ID {
			salt := a.Env.Rand.Bytes("password salt", string(user), saltBytes)
			if row.PasswordHash, err = a.hasher.hash(ctx, n.password, salt); err != nil {
				return err
			}
		}
		row.ID = user
		if n.login {
			g = a.generateLogin(ctx, user, n.device)
		}
		return a.DB.Write(ctx, func(tx *storage.Writer) (err error) {
			pos, err = n.write(ctx, tx, row, g)
			return err
		})
	})
	var refused *api.Error
	if err != nil && !errors.As(err, &refused) {
		err = fmt.Errorf("register %s: %w", user, err)
	}
	if err != nil {
		return "", nil, err
	}
	return user, g, a.Feed.WaitFor(ctx, pos)
}

// write stores the account with its profile and first device. It returns the position
// of the change that invalidates caches of an earlier account, 0 for none.
func (n *registration) write(ctx context.Context, tx *storage.Writer, row *storage.User, g *newLogin) (int64, error) {
	made := string(row.ID)
	if g != nil {
		made += " " + string(g.device)
	}
	if err := n.session.recordResult(ctx, tx, made); err != nil {
		return 0, err
	}
	if n.upgrade {
		return n.writeUpgrade(ctx, tx, row, g)
	}
	if err := tx.InsertUser(ctx, row); n.chosen && errors.Is(err, storage.ErrExists) {
		return 0, taken(row.ID)
	} else if err != nil {
		return 0, err
	}
	name := n.displayName
	if name == "" && n.kind != kindGuest {
		name = n.localpart
	}
	if name != "" {
		field := storage.ProfileField{Name: "displayname", Value: api.AppendString(nil, name)}
		if err := tx.PutProfileField(ctx, row.ID, field); err != nil {
			return 0, err
		}
	}
	if g == nil {
		return 0, nil
	}
	return g.write(ctx, tx, row.CreatedAt) // a new account has no earlier tokens
}

// writeUpgrade makes a guest's account a user's. It keeps the guest's display name,
// rooms, devices and tokens.
func (n *registration) writeUpgrade(ctx context.Context, tx *storage.Writer, row *storage.User, g *newLogin) (int64, error) {
	err := tx.UpgradeGuest(ctx, row.ID, row.Kind, row.PasswordHash)
	if errors.Is(err, storage.ErrNotFound) {
		return 0, taken(row.ID) // another request was first
	}
	if err == nil && g != nil {
		var pos int64
		if pos, err = g.write(ctx, tx, row.CreatedAt); pos != 0 {
			return pos, err
		}
	}
	if err != nil {
		return 0, err
	}
	return revoke(ctx, tx, row.ID)
}
