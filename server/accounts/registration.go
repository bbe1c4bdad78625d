// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/storage"
)

// Kinds of account.
const (
	kindUser  = "user"
	kindGuest = "guest"
)

// Register makes an account.
//
// Spec: client-server register.
func (a *Accounts) Register(ctx context.Context, req *clientapi.RegisterRequest) (*clientapi.RegisterResponse, error) {
	kind := string(req.Kind.Or(kindUser))
	if !a.Registration.Enabled || kind == kindGuest && !a.Registration.Guests {
		return nil, api.Forbidden("Registration is off on this server")
	}
	body := &req.Body
	n := newcomer{kind: kind, device: body.DeviceID, deviceName: body.InitialDeviceDisplayName, login: !body.InhibitLogin.Value}
	if kind == kindUser {
		if body.Username.Set {
			if err := a.free(ctx, body.Username.Value); err != nil {
				return nil, err
			}
			n.localpart = body.Username.Value
		}
		c := challenge{operation: "register", flow: []string{stageDummy}}
		if a.Registration.Token != "" {
			c.flow = []string{stageToken}
		}
		if err := a.interact(ctx, c, body.Auth); err != nil {
			return nil, err
		}
		if !body.Password.Set || body.Password.Value == "" {
			return nil, api.MissingParam("password is missing")
		}
		n.password = body.Password.Value
	}
	user, g, err := a.admit(ctx, n)
	if err != nil {
		return nil, err
	}
	out := &clientapi.RegisterResponse{UserID: user}
	if n.login {
		out.AccessToken, out.DeviceID = api.Some(g.token), api.Some(string(g.device))
		out.HomeServer = api.Some(a.Name)
	}
	return out, nil
}

// A newcomer is somebody who is about to have an account.
type newcomer struct {
	kind        string
	localpart   string // empty: the server chooses
	password    string // empty: none
	displayName string
	admin       bool
	login       bool
	device      api.Opt[string]
	deviceName  api.Opt[string]
}

// admit makes the account, and its first device if it logs in at once.
func (a *Accounts) admit(ctx context.Context, n newcomer) (id.UserID, grant, error) {
	if n.localpart == "" {
		n.localpart = strings.ToLower(a.Env.Rand.Token("localpart", n.kind, 12))
	}
	user, err := id.NewUserID(n.localpart, a.Name)
	if err != nil {
		return "", grant{}, api.InvalidUsername("%s", err)
	}
	row := &storage.User{ID: user, Kind: n.kind, Admin: n.admin, CreatedAt: a.Env.NowTS()}
	if n.password != "" {
		salt := a.Env.Rand.Bytes("password salt", string(user), saltBytes)
		if row.PasswordHash, err = a.hasher.hash(ctx, n.password, salt); err != nil {
			return "", grant{}, err
		}
	}
	g := a.newGrant(user, n.device, n.deviceName)
	name := n.displayName
	if name == "" && n.kind == kindUser {
		name = n.localpart
	}
	err = a.DB.Write(ctx, func(tx *storage.Writer) error {
		if err := tx.InsertUser(ctx, row); err != nil {
			return err
		}
		if name != "" {
			field := storage.ProfileField{Name: "displayname", Value: api.AppendString(nil, name)}
			if err := tx.PutProfileField(ctx, user, field); err != nil {
				return err
			}
		}
		if !n.login {
			return nil
		}
		return g.write(ctx, tx, row.CreatedAt)
	})
	if errors.Is(err, storage.ErrExists) {
		return "", grant{}, api.UserInUse("The name %s is taken", user)
	}
	if err != nil {
		return "", grant{}, fmt.Errorf("register %s: %w", user, err)
	}
	return user, g, nil
}

// CheckUsernameAvailability tells whether a name can still be registered.
//
// Spec: client-server checkUsernameAvailability.
func (a *Accounts) CheckUsernameAvailability(ctx context.Context, req *clientapi.CheckUsernameAvailabilityRequest) (*clientapi.CheckUsernameAvailabilityResponse, error) {
	if err := a.free(ctx, req.Username); err != nil {
		return nil, err
	}
	return &clientapi.CheckUsernameAvailabilityResponse{Available: api.Some(true)}, nil
}

// free refuses a name that is not valid or taken.
func (a *Accounts) free(ctx context.Context, localpart string) error {
	user, err := id.NewUserID(localpart, a.Name)
	if err != nil {
		return api.InvalidUsername("%s", err)
	}
	err = a.DB.Read(ctx, func(tx *storage.Reader) error {
		_, err := tx.User(ctx, user)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up %s: %w", user, err)
	}
	return api.UserInUse("The name %s is taken", user)
}

// RequestTokenToRegisterEmail is not served yet.
func (a *Accounts) RequestTokenToRegisterEmail(context.Context, *clientapi.RequestTokenToRegisterEmailRequest) (*clientapi.RequestTokenToRegisterEmailResponse, error) {
	return nil, api.Unfinished()
}

// RequestTokenToRegisterMSISDN is not served yet.
func (a *Accounts) RequestTokenToRegisterMSISDN(context.Context, *clientapi.RequestTokenToRegisterMSISDNRequest) (*clientapi.RequestTokenToRegisterMSISDNResponse, error) {
	return nil, api.Unfinished()
}
