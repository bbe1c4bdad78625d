// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

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
	if !a.Registration.Enabled {
		return nil, registrationOff()
	}
	if req.Kind.Or(kindUser) == kindGuest {
		return a.registerGuest(ctx, &req.Body)
	}
	c := challenge{operation: "register", flow: []string{stageDummy}}
	if a.Registration.Token != "" {
		c.flow = []string{stageToken}
	}
	s, err := a.resumeSession(ctx, c, req.Body.Auth)
	if err != nil {
		return nil, err
	}
	body, err := s.parameters(&req.Body)
	if err != nil {
		return nil, err
	}
	n, err := newUser(body)
	if err != nil {
		return nil, err
	}
	if s.registeredBy(n, a.Name) {
		return a.registerAgain(ctx, s, n, &req.Body)
	}
	switch {
	case body.GuestAccessToken.Set:
		n.upgrade = true
		err = a.checkGuest(ctx, body.GuestAccessToken.Value, n.localpart)
	case body.Username.Set:
		err = a.checkAvailable(ctx, n.localpart)
	}
	if err != nil {
		// Another request of this session may just have created the account.
		if again, lost := a.resumeSession(ctx, c, req.Body.Auth); lost == nil && again.registeredBy(n, a.Name) {
			return a.registerAgain(ctx, again, n, &req.Body)
		}
		return nil, err
	}
	if err := a.completeStages(ctx, c, s, req.Body.Auth); err != nil {
		return nil, err
	}
	n.session = s
	user, g, err := a.createAccount(ctx, n)
	if errors.Is(err, errSessionUsed) {
		if s.registeredBy(n, a.Name) {
			return a.registerAgain(ctx, s, n, &req.Body)
		}
		err = api.Forbidden("This session has registered another user")
	}
	return a.registered(user, g, err)
}

// parameters returns a registration's parameters: those of the request, which the
// session then stores, or else the stored ones.
//
// Spec: client-server "User-interactive API in the REST API".
func (s *session) parameters(body *clientapi.RegisterBody) (*clientapi.RegisterBody, error) {
	own := *body
	own.Auth = nil
	if text := own.AppendJSON(nil); string(text) != "{}" {
		s.remember = text
		return &own, nil
	}
	text, err := s.remembered()
	if err == nil && text != nil {
		err = json.Unmarshal(text, &own)
	}
	return &own, err
}

// newUser reads the user of a registration.
func newUser(body *clientapi.RegisterBody) (n *registration, err error) {
	n = &registration{kind: kindUser, localpart: lower(body.Username.Value), password: body.Password.Value, login: !body.InhibitLogin.Value}
	if n.device, err = newRequestedDevice(body.DeviceID, body.InitialDeviceDisplayName); err == nil && body.Password.Set {
		err = checkNewPassword(n.password)
	}
	return n, err
}

// checkGuest refuses a token that is not that of the guest with this name.
//
// Spec: client-server "Guest Access": who upgrades has "to specify the username
// parameter to the value of the local part of their username".
func (a *Accounts) checkGuest(ctx context.Context, token, localpart string) error {
	t, err := a.access(ctx, hashOf(token))
	var unknown *api.Error
	switch {
	case errors.As(err, &unknown):
		return api.Forbidden("guest_access_token gives no access")
	case err != nil:
		return err
	case !t.who.Guest:
		return api.Forbidden("guest_access_token is not a guest's")
	case t.who.User.Localpart() != localpart:
		return api.Forbidden("username is not that of the guest whose guest_access_token this is")
	}
	return nil
}

// registerGuest creates a guest account. Everything in the request except the device's
// display name is ignored.
//
// Spec: client-server register, "When registering a guest account".
func (a *Accounts) registerGuest(ctx context.Context, body *clientapi.RegisterBody) (*clientapi.RegisterResponse, error) {
	if !a.Registration.Guests {
		return nil, api.Forbidden("This server has no guests")
	}
	w, err := newRequestedDevice(api.Opt[string]{}, body.InitialDeviceDisplayName)
	if err != nil {
		return nil, err
	}
	return a.registered(a.createAccount(ctx, &registration{kind: kindGuest, device: w, login: true}))
}

func registrationOff() *api.Error { return api.Forbidden("Registration is off on this server") }

// registered is the answer to a registration; without a login, it has no token.
func (a *Accounts) registered(user id.UserID, g *newLogin, err error) (*clientapi.RegisterResponse, error) {
	if err != nil {
		return nil, err
	}
	out := &clientapi.RegisterResponse{UserID: user}
	if g != nil {
		out.AccessToken, out.DeviceID = api.Some(g.token), api.Some(string(g.device))
		out.HomeServer = api.Some(a.Name)
	}
	return out, nil
}

// registeredBy reports whether a session has created the account that a request asks
// for.
func (s *session) registeredBy(n *registration, server id.ServerName) bool {
	user, _, _ := strings.Cut(s.Result, " ")
	return user != "" && (n.localpart == "" || user == "@"+n.localpart+":"+string(server))
}

// registerAgain answers a repeated request with the account that the first one
// made. The first answer may have been lost, so it logs the same device in, as
// any login does: with the password, which must be the request's own, not what
// the session remembers.
//
// Spec: client-server "User-interactive API in the REST API": "or the result of
// the API call if all stages were completed".
func (a *Accounts) registerAgain(ctx context.Context, s *session, n *registration, own *clientapi.RegisterBody) (*clientapi.RegisterResponse, error) {
	name, device, _ := strings.Cut(s.Result, " ")
	user := id.UserID(name)
	if !own.Password.Set {
		return nil, api.Forbidden("This session has registered %s: log in", user)
	}
	verified, err := a.verifyLogin(ctx, user, own.Password.Value)
	if err != nil {
		return nil, err
	}
	if !n.login {
		return a.registered(user, nil, nil)
	}
	if n.device.device == "" {
		n.device.device = id.DeviceID(device)
	}
	g, err := a.logIn(ctx, verified, n.device)
	return a.registered(user, g, err)
}

// CheckUsernameAvailability reports whether a name can be registered.
//
// Spec: client-server checkUsernameAvailability.
func (a *Accounts) CheckUsernameAvailability(ctx context.Context, req *clientapi.CheckUsernameAvailabilityRequest) (*clientapi.CheckUsernameAvailabilityResponse, error) {
	if !a.Registration.Enabled {
		return nil, registrationOff()
	}
	if err := a.checkAvailable(ctx, lower(req.Username)); err != nil {
		return nil, err
	}
	return &clientapi.CheckUsernameAvailabilityResponse{Available: api.Some(true)}, nil
}

// checkAvailable refuses a name that is invalid or taken.
func (a *Accounts) checkAvailable(ctx context.Context, localpart string) error {
	user, err := a.newUserID(localpart)
	if err != nil {
		return err
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
	return taken(user)
}

func (a *Accounts) newUserID(localpart string) (id.UserID, error) {
	user, err := id.NewUserID(localpart, a.Name)
	if err != nil {
		return "", api.InvalidUsername("%s", err)
	}
	return user, nil
}

func taken(user id.UserID) *api.Error { return api.UserInUse("The name %s is taken", user) }

// RequestTokenToRegisterEmail is not served yet.
func (a *Accounts) RequestTokenToRegisterEmail(context.Context, *clientapi.RequestTokenToRegisterEmailRequest) (*clientapi.RequestTokenToRegisterEmailResponse, error) {
	return nil, api.Unfinished()
}

// RequestTokenToRegisterMSISDN is not served yet.
func (a *Accounts) RequestTokenToRegisterMSISDN(context.Context, *clientapi.RequestTokenToRegisterMSISDNRequest) (*clientapi.RequestTokenToRegisterMSISDNResponse, error) {
	return nil, api.Unfinished()
}
