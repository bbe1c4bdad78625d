// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/storage"
)

// GetLoginFlows lists the login types.
//
// Spec: client-server getLoginFlows.
func (a *Accounts) GetLoginFlows(context.Context, *clientapi.GetLoginFlowsRequest) (*clientapi.GetLoginFlowsResponse, error) {
	return &clientapi.GetLoginFlowsResponse{Flows: []clientapi.LoginFlow{{Type: stagePassword}}}, nil
}

// Login logs in a device with a password.
//
// Spec: client-server login.
func (a *Accounts) Login(ctx context.Context, req *clientapi.LoginRequest) (*clientapi.LoginResponse, error) {
	body := &req.Body
	if body.Type != stagePassword {
		return nil, api.Unknown("Logins of type %q are not served here", body.Type)
	}
	if !body.Password.Set {
		return nil, api.BadJSON("password is missing, which logins of type %s need", stagePassword)
	}
	w, err := newRequestedDevice(body.DeviceID, body.InitialDeviceDisplayName)
	if err != nil {
		return nil, err
	}
	user, err := a.loginUser(body)
	if err != nil {
		return nil, err
	}
	verified, err := a.verifyLogin(ctx, user, body.Password.Value)
	if err != nil {
		return nil, err
	}
	g, err := a.logIn(ctx, verified, w)
	if err != nil {
		return nil, err
	}
	out := &clientapi.LoginResponse{
		AccessToken: g.token, DeviceID: string(g.device), UserID: user, HomeServer: api.Some(a.Name),
	}
	if a.WellKnown != "" {
		out.WellKnown = &clientapi.WellknownFull{Homeserver: clientapi.WellknownHomeserver{BaseURL: a.WellKnown}}
	}
	return out, nil
}

// loginUser reads the user of a login request, in the current form or the two
// deprecated ones.
func (a *Accounts) loginUser(body *clientapi.LoginBody) (id.UserID, error) {
	switch {
	case body.Identifier != nil:
		return a.resolveIdentifier(body.Identifier)
	case body.User.Set:
		return a.local(body.User.Value)
	case body.Medium.Set && body.Address.Set:
		return "", unknownThirdParty()
	}
	return "", api.BadJSON("identifier is missing, which logins of type %s need", stagePassword)
}

// wrongPassword is the answer for any error in a login, so that it does not show which
// accounts exist.
func wrongPassword() *api.Error { return api.Forbidden("The user or the password is wrong") }

// verifyLogin is verify for a caller who is not logged in.
func (a *Accounts) verifyLogin(ctx context.Context, user id.UserID, password string) (*storage.User, error) {
	var g failureLimit
	if a.Limits {
		err := a.DB.Read(ctx, func(tx *storage.Reader) (err error) {
			g, err = a.loginFailureLimits(ctx, tx, user)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("find who guesses at the password of %s: %w", user, err)
		}
	}
	return a.verify(ctx, user, password, g)
}

// verify checks the password of an account, and returns the account as it was then. It
// takes equally long for a user who does not exist or has no password.
//
// Spec: client-server login, 403; "Account locking".
func (a *Accounts) verify(ctx context.Context, user id.UserID, password string, g failureLimit) (*storage.User, error) {
	if a.Limits {
		if _, err := a.guessable(ctx, user, g); err != nil {
			return nil, err
		}
	}
	release, err := a.hasher.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	// The limit is checked again: other guesses may have failed while this one waited.
	row, err := a.guessable(ctx, user, g)
	if err != nil {
		return nil, err
	}
	has := row != nil && row.PasswordHash != ""
	hash := a.hasher.dummyHash
	if has {
		hash = row.PasswordHash
	}
	ok, err := a.hasher.check(hash, password)
	switch {
	case err != nil:
		return nil, fmt.Errorf("check the password of %s: %w", user, err)
	case !ok || !has:
		if err := a.recordAttempt(ctx, false, g); err != nil {
			return nil, err
		}
		return nil, wrongPassword()
	}
	return row, mayLogIn(row)
}

// guessable returns an account, nil if there is none, or an error if there were too
// many wrong guesses at its password.
func (a *Accounts) guessable(ctx context.Context, user id.UserID, g failureLimit) (row *storage.User, err error) {
	err = a.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		if err := a.checkFailures(ctx, tx, g); err != nil {
			return err
		}
		row, err = tx.User(ctx, user)
		return err
	})
	var limited *api.Error
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, nil
	case err != nil && !errors.As(err, &limited):
		return nil, fmt.Errorf("find %s: %w", user, err)
	}
	return row, err
}

// mayLogIn refuses logins to closed and suspended accounts, after the password was
// checked.
func mayLogIn(user *storage.User) error {
	switch {
	case user.DeactivatedAt != 0:
		return api.Errorf(http.StatusForbidden, "M_USER_DEACTIVATED", "This account has been deactivated")
	case user.Locked:
		return locked()
	}
	return nil
}
