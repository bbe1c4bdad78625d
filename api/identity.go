// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"touchstone.example/api/id"
)

// User returns the caller of an operation that needs an access token.
func (x *Exchange) User(ctx context.Context) (Caller, error) {
	c, err := identify[Caller](ctx, x, AuthUser)
	if err == nil {
		x.identified(string(c.User))
		err = x.permit(c)
	}
	if err != nil {
		return Caller{}, err
	}
	return c, nil
}

func (x *Exchange) permit(c Caller) error {
	if f := x.router.cfg.Permit; f != nil {
		return f(x.Op, c)
	}
	return nil
}

// OptionalUser returns the caller, or nil where the request names none. A
// token that is not valid is an error here too.
func (x *Exchange) OptionalUser(ctx context.Context) (*Caller, error) {
	kind := AuthOptional
	if x.router.cfg.Auth[kind] == nil {
		kind = AuthUser
	}
	ok, who, err := x.authenticate(ctx, kind)
	if err != nil || !ok {
		return nil, err
	}
	c, err := as[Caller](who, kind)
	if err == nil {
		x.identified(string(c.User))
		err = x.permit(c)
	}
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// AppService returns the application service that calls.
func (x *Exchange) AppService(ctx context.Context) (Caller, error) {
	return identify[Caller](ctx, x, AuthAppService)
}

// Identity returns the caller of an identity server's operation.
func (x *Exchange) Identity(ctx context.Context) (Caller, error) {
	return identify[Caller](ctx, x, AuthIdentity)
}

// Homeserver checks that the caller is a homeserver with its hs_token.
func (x *Exchange) Homeserver(ctx context.Context) error {
	ok, _, err := x.authenticate(ctx, AuthHomeserver)
	if err == nil && !ok {
		err = MissingToken()
	}
	return err
}

// Server returns the server that signed the request. Since the signature
// covers the body, that is read first; the authenticator finds it whole in the
// request's Body.
//
// Spec: server-server "Request Authentication".
func (x *Exchange) Server(ctx context.Context) (id.ServerName, error) {
	if !isSigned(x.R) {
		return "", Unauthorized("The request is not signed")
	}
	body, err := x.RawBody()
	if err != nil {
		return "", err
	}
	x.R.Body = io.NopCloser(bytes.NewReader(body))
	ok, who, err := x.authenticate(ctx, AuthServer)
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "", Unauthorized("The request is not signed")
	}
	name, err := as[id.ServerName](who, AuthServer)
	if err == nil {
		x.identified(string(name))
	}
	return name, err
}

func identify[T any](ctx context.Context, x *Exchange, kind Auth) (T, error) {
	ok, who, err := x.authenticate(ctx, kind)
	if err == nil && !ok {
		err = MissingToken()
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return as[T](who, kind)
}

func (x *Exchange) authenticate(ctx context.Context, kind Auth) (bool, any, error) {
	a := x.router.cfg.Auth[kind]
	if a == nil {
		return false, nil, fmt.Errorf("no authenticator for %s", kind)
	}
	if report := x.router.cfg.Checks.Report; report != nil && kind != AuthServer {
		if _, inQuery, ok := accessToken(x.R); ok && inQuery {
			if err := report(x.Op, x.R, RuleTokenInQuery); err != nil {
				return false, nil, err
			}
		}
	}
	r := x.R
	if ctx != r.Context() {
		r = r.WithContext(ctx)
	}
	return a.Authenticate(r)
}

func as[T any](who any, kind Auth) (T, error) {
	v, ok := who.(T)
	if !ok {
		return v, fmt.Errorf("the authenticator for %s returned a %T", kind, who)
	}
	return v, nil
}

// String names the kind.
func (a Auth) String() string {
	switch a {
	case AuthNone:
		return "none"
	case AuthOptional:
		return "optional"
	case AuthUser:
		return "user"
	case AuthAppService:
		return "appservice"
	case AuthServer:
		return "server"
	case AuthHomeserver:
		return "homeserver"
	case AuthIdentity:
		return "identity"
	}
	return fmt.Sprintf("Auth(%d)", uint8(a))
}
