// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/storage"
)

// GetLoginFlows lists how one can log in.
//
// Spec: client-server getLoginFlows.
func (a *Accounts) GetLoginFlows(context.Context, *clientapi.GetLoginFlowsRequest) (*clientapi.GetLoginFlowsResponse, error) {
	return &clientapi.GetLoginFlowsResponse{Flows: []clientapi.LoginFlow{{Type: stagePassword}}}, nil
}

// Login gives a device access for a password.
//
// Spec: client-server login.
func (a *Accounts) Login(ctx context.Context, req *clientapi.LoginRequest) (*clientapi.LoginResponse, error) {
	body := &req.Body
	if body.Type != stagePassword {
		return nil, api.Unknown("Login type %q is not served", body.Type)
	}
	if !body.Password.Set {
		return nil, api.MissingParam("password is missing")
	}
	user, err := a.loginUser(body)
	if err != nil {
		return nil, err
	}
	if user, err = a.verify(ctx, user, body.Password.Value); err != nil {
		return nil, err
	}
	g := a.newGrant(user, body.DeviceID, body.InitialDeviceDisplayName)
	if err := a.DB.Write(ctx, func(tx *storage.Writer) error { return g.write(ctx, tx, a.Env.NowTS()) }); err != nil {
		return nil, fmt.Errorf("log %s in: %w", user, err)
	}
	out := &clientapi.LoginResponse{
		AccessToken: g.token, DeviceID: string(g.device), UserID: user, HomeServer: api.Some(a.Name),
	}
	if a.WellKnown != "" {
		out.WellKnown = &clientapi.WellknownFull{Homeserver: clientapi.WellknownHomeserver{BaseURL: a.WellKnown}}
	}
	return out, nil
}

// loginUser finds who wants to log in, in the two ways that one can say it.
func (a *Accounts) loginUser(body *clientapi.LoginBody) (id.UserID, error) {
	if body.Identifier != nil {
		raw := body.Identifier.AppendJSON(nil)
		user, refused := a.identified(raw)
		if refused != nil {
			return "", refused
		}
		return user, nil
	}
	if body.User.Set {
		user, refused := a.local(body.User.Value)
		if refused != nil {
			return "", refused
		}
		return user, nil
	}
	return "", api.MissingParam("identifier is missing")
}

// identified reads a user identifier.
//
// Spec: client-server "Identifier types".
func (a *Accounts) identified(raw api.Raw) (id.UserID, *api.Error) {
	typ, _ := event.Text(event.Member(raw, "type"))
	switch typ {
	case "m.id.user":
		user, ok := event.Text(event.Member(raw, "user"))
		if !ok {
			return "", api.BadJSON("identifier.user is missing")
		}
		return a.local(user)
	case "m.id.thirdparty", "m.id.phone":
		return "", api.Forbidden("Nobody here is known by a third-party identifier")
	}
	return "", api.Unknown("Identifier type %q is unknown", typ)
}

// local completes a localpart to a user ID, and refuses users of elsewhere.
func (a *Accounts) local(name string) (id.UserID, *api.Error) {
	if !strings.HasPrefix(name, "@") {
		name = "@" + name + ":" + string(a.Name)
	}
	user, err := id.ParseUserID(name)
	if err != nil || user.Server() != a.Name {
		return "", wrongPassword()
	}
	return user, nil
}

// wrongPassword is one answer for all that is wrong with a login, so that
// nobody learns who has an account.
func wrongPassword() *api.Error { return api.Forbidden("The user or the password is wrong") }

// verify checks a password and returns whose account it opens.
func (a *Accounts) verify(ctx context.Context, user id.UserID, password string) (id.UserID, error) {
	var row *storage.User
	err := a.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		row, err = tx.User(ctx, user)
		return err
	})
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return "", fmt.Errorf("find %s: %w", user, err)
	}
	hash := a.hasher.absent // so that an absent account takes as long
	if err == nil && row.PasswordHash != "" {
		hash = row.PasswordHash
	}
	ok, checkErr := a.hasher.check(ctx, hash, password)
	if checkErr != nil {
		return "", fmt.Errorf("check password of %s: %w", user, checkErr)
	}
	if !ok || err != nil || row.PasswordHash == "" {
		return "", wrongPassword()
	}
	if row.DeactivatedAt != 0 {
		return "", api.Errorf(http.StatusForbidden, "M_USER_DEACTIVATED", "This account has been deactivated")
	}
	return user, nil
}
