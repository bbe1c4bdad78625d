// SPDX-License-Identifier: Apache-2.0

// Package openid gives users tokens by which they prove to other services who
// they are, and tells those services. The tokens must not open anything else:
// they stand in a table of their own, which nothing else reads.
//
// Spec: client-server "OpenID", server-server "OpenID".
package openid

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/fedapi"
	"touchstone.example/server/env"
	"touchstone.example/storage"
)

var (
	_ clientapi.OpenID = (*OpenID)(nil)
	_ fedapi.OpenID    = (*OpenID)(nil)
)

const (
	lifetime = time.Hour
	// deletedAtOnce bounds the expired tokens that go with a new one: more than
	// come, so that none stay.
	deletedAtOnce = 100
)

// Deps are what the tokens need.
type Deps struct {
	DB   *storage.DB
	Env  *env.Env
	Name id.ServerName
}

// OpenID serves the tokens.
type OpenID struct{ Deps }

// New makes the slice.
func New(d Deps) *OpenID { return &OpenID{d} }

// hashOf is how a token is stored: whoever reads the database can use none.
func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// RequestOpenIDToken gives the caller a token.
//
// Spec: client-server requestOpenIdToken.
func (o *OpenID) RequestOpenIDToken(ctx context.Context, who api.Caller, req *clientapi.RequestOpenIDTokenRequest) (*clientapi.RequestOpenIDTokenResponse, error) {
	if req.UserID != who.User {
		return nil, api.Forbidden("You can prove only who you are yourself")
	}
	token := o.Env.Rand.Token("openid token", string(who.User), 32)
	now := o.Env.NowTS()
	err := o.DB.Write(ctx, func(tx *storage.Writer) error {
		if err := tx.DeleteOpenIDTokens(ctx, now, deletedAtOnce); err != nil {
			return err
		}
		return tx.InsertOpenIDToken(ctx, hashOf(token), who.User, now+lifetime.Milliseconds())
	})
	if err != nil {
		return nil, fmt.Errorf("openid token of %s: %w", who.User, err)
	}
	return &clientapi.RequestOpenIDTokenResponse{
		AccessToken: token, TokenType: "Bearer", MatrixServerName: string(o.Name), ExpiresIn: int64(lifetime / time.Second),
	}, nil
}

// ExchangeOpenIDToken says whose token this is, to whoever has it.
//
// Spec: server-server exchangeOpenIdToken.
func (o *OpenID) ExchangeOpenIDToken(ctx context.Context, req *fedapi.ExchangeOpenIDTokenRequest) (*fedapi.ExchangeOpenIDTokenResponse, error) {
	var user id.UserID
	err := o.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		user, err = tx.OpenIDUser(ctx, hashOf(req.AccessToken), o.Env.NowTS())
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, api.Errorf(401, "M_UNKNOWN_TOKEN", "Access token unknown or expired")
	}
	if err != nil {
		return nil, fmt.Errorf("user of an openid token: %w", err)
	}
	return &fedapi.ExchangeOpenIDTokenResponse{Sub: string(user)}, nil
}
