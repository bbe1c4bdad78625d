// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/go-openapi/runtime"
	"github.com/go-openapi/runtime/security"

	"touchstone.example/api/id"
)

// An Authenticator returns the caller of a request. named is false if the request names
// none.
type Authenticator[T any] func(r *http.Request) (who T, named bool, err error)

var _ runtime.Authenticator = Authenticator[Caller](nil)

// Authenticate implements go-openapi's Authenticator, for code that knows only that
// contract; our code keeps the caller's type.
func (f Authenticator[T]) Authenticate(params any) (bool, any, error) {
	return security.HTTPAuthenticator(func(r *http.Request) (bool, any, error) {
		who, named, err := f(r)
		return named, who, err
	}).Authenticate(params)
}

// Authenticators authenticate the callers of operations, by the operation's Auth. If
// one is nil, its operations are answered with an error.
type Authenticators struct {
	User       Authenticator[Caller] // AuthUser and AuthOptional
	AppService Authenticator[Caller]
	Identity   Authenticator[Caller]
	Homeserver Authenticator[struct{}]
	// Server is given the whole body as the request's Body, since the signature covers
	// it.
	Server Authenticator[id.ServerName]
}

// User returns the caller of an operation that needs an access token.
func (x *Exchange) User(ctx context.Context) (Caller, error) {
	c, err := required(ctx, x, AuthUser, x.router.cfg.Auth.User)
	if err != nil {
		return Caller{}, err
	}
	if err := x.known(c); err != nil {
		return Caller{}, err
	}
	return c, nil
}

// OptionalUser returns the caller, nil if the request names none. An invalid token is
// an error here too.
func (x *Exchange) OptionalUser(ctx context.Context) (*Caller, error) {
	c, named, err := authenticate(ctx, x, AuthOptional, x.router.cfg.Auth.User)
	if err != nil || !named {
		return nil, err
	}
	if err := x.known(c); err != nil {
		return nil, err
	}
	return &c, nil
}

// known records the caller, who may still be refused.
func (x *Exchange) known(c Caller) error {
	x.sender = Sender{User: string(c.User), Device: string(c.Device), Service: c.AppService}
	x.identified(string(c.User))
	if f := x.router.cfg.Permit; f != nil {
		return f(x.Op, c)
	}
	return nil
}

// AppService returns the calling application service.
func (x *Exchange) AppService(ctx context.Context) (Caller, error) {
	c, err := required(ctx, x, AuthAppService, x.router.cfg.Auth.AppService)
	x.sender = Sender{User: string(c.User), Device: string(c.Device), Service: c.AppService}
	return c, err
}

// Identity returns the caller of an identity server's operation.
func (x *Exchange) Identity(ctx context.Context) (Caller, error) {
	return required(ctx, x, AuthIdentity, x.router.cfg.Auth.Identity)
}

// Homeserver checks that the caller is a homeserver with its hs_token.
func (x *Exchange) Homeserver(ctx context.Context) error {
	_, err := required(ctx, x, AuthHomeserver, x.router.cfg.Auth.Homeserver)
	return err
}

// Server returns the server that signed the request. The body is read first, since the
// signature covers it.
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
	name, named, err := authenticate(ctx, x, AuthServer, x.router.cfg.Auth.Server)
	switch {
	case err != nil:
		return "", err
	case !named:
		return "", Unauthorized("The request is not signed")
	}
	x.identified(string(name))
	x.sender = Sender{Server: string(name)}
	return name, nil
}

// required returns the caller, or an error if there is none.
func required[T any](ctx context.Context, x *Exchange, kind Auth, f Authenticator[T]) (T, error) {
	who, named, err := authenticate(ctx, x, kind, f)
	if err == nil && !named {
		err = MissingToken()
	}
	if err != nil {
		var nobody T
		return nobody, err
	}
	return who, nil
}

func authenticate[T any](ctx context.Context, x *Exchange, kind Auth, f Authenticator[T]) (who T, named bool, err error) {
	if f == nil {
		return who, false, fmt.Errorf("no authenticator for %s", kind)
	}
	if x.router.cfg.Checks.Settle != nil && kind != AuthServer {
		if _, inQuery, ok := accessToken(x.R); ok && inQuery {
			v := Violation{Rule: RuleTokenInQuery, Where: InQuery("access_token"), Expected: "the token in the header Authorization", ErrCode: "M_UNKNOWN"}
			if err := x.report(v); err != nil {
				return who, false, err
			}
		}
	}
	r := x.R
	if ctx != r.Context() {
		r = r.WithContext(ctx)
	}
	return f(r)
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
