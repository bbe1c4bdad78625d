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

// A NewAccount is an account that the control plane of lab mode creates without
// authentication.
type NewAccount struct {
	Localpart   string
	Password    string // empty: no password, and no login with one
	DisplayName string // empty: the localpart
	Admin       bool
	DeviceID    api.Opt[string]
	DeviceName  api.Opt[string]
}

// Access is what a login gives.
type Access struct {
	User   id.UserID
	Device id.DeviceID
	Token  string
}

// CreateAll creates accounts and logs each in, all or none. An error about one of them
// is a BadAccount.
func (a *Accounts) CreateAll(ctx context.Context, list []NewAccount) ([]Access, error) {
	all := make([]*registration, len(list))
	rows := make([]*storage.User, len(list))
	for i, n := range list {
		var err error
		if all[i], rows[i], err = a.prepare(ctx, &n); err != nil {
			return nil, BadAccount{i, err}
		}
	}
	out := make([]Access, len(list))
	err := retryIfTaken(func() error {
		logins := make([]*newLogin, len(list))
		for i, n := range all {
			logins[i] = a.generateLogin(ctx, rows[i].ID, n.device)
			out[i] = Access{logins[i].user, logins[i].device, logins[i].token}
		}
		return a.DB.Write(ctx, func(tx *storage.Writer) error {
			for i, n := range all {
				if _, err := n.write(ctx, tx, rows[i], logins[i]); err != nil {
					return BadAccount{i, err}
				}
			}
			return nil
		})
	})
	return out, err
}

// prepare does the work that needs no transaction.
func (a *Accounts) prepare(ctx context.Context, n *NewAccount) (*registration, *storage.User, error) {
	device, err := newRequestedDevice(n.DeviceID, n.DeviceName)
	if err != nil {
		return nil, nil, err
	}
	user, err := a.newUserID(n.Localpart)
	if err != nil {
		return nil, nil, err
	}
	row := &storage.User{ID: user, Kind: kindUser, Admin: n.Admin, CreatedAt: a.Env.NowTS()}
	if n.Password != "" {
		if err := checkNewPassword(n.Password); err != nil {
			return nil, nil, err
		}
		salt := a.Env.Rand.Bytes("password salt", string(user), saltBytes)
		if row.PasswordHash, err = a.hasher.hash(ctx, n.Password, salt); err != nil {
			return nil, nil, err
		}
	}
	return &registration{
		kind: kindUser, localpart: n.Localpart, displayName: n.DisplayName, admin: n.Admin, login: true, device: device, chosen: true,
	}, row, nil
}

// A BadAccount says which account of a list cannot be created.
type BadAccount struct {
	Index int
	Err   error
}

func (b BadAccount) Error() string { return fmt.Sprintf("account %d: %s", b.Index, b.Err) }

// Unwrap returns why.
func (b BadAccount) Unwrap() error { return b.Err }

// LogInAs logs a device in to an account without a password.
func (a *Accounts) LogInAs(ctx context.Context, user id.UserID, device, name api.Opt[string]) (Access, error) {
	w, err := newRequestedDevice(device, name)
	if err != nil {
		return Access{}, err
	}
	var row *storage.User
	err = a.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		row, err = tx.User(ctx, user)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return Access{}, api.NotFound("There is no user %s", user)
	}
	if err != nil {
		return Access{}, fmt.Errorf("find %s: %w", user, err)
	}
	g, err := a.logIn(ctx, row, w)
	if err != nil {
		return Access{}, err
	}
	return Access{g.user, g.device, g.token}, nil
}
