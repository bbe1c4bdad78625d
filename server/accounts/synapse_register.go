// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" // the protocol requires SHA-1
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"touchstone.example/api"
	"touchstone.example/generated/extraapi"
	"touchstone.example/storage"
)

// nonceLife is how long a nonce can be used, in milliseconds.
const nonceLife = 60 * 1000

// useNonce is the operation under which nonces are stored, in the table of
// user-interactive authentication: all processes share it, and each nonce can be used
// once.
const useNonce = "registerWithSharedSecret"

// userTypes are the kinds of account that a request may name.
var userTypes = []string{"bot", "support"}

func secretOff() *api.Error {
	return api.Unknown("Registration with a shared secret is off on this server")
}

// GetRegisterNonce returns a nonce for a shared-secret registration.
func (a *Accounts) GetRegisterNonce(ctx context.Context, _ *extraapi.GetRegisterNonceRequest) (*extraapi.GetRegisterNonceResponse, error) {
	if a.Registration.SharedSecret == "" {
		return nil, secretOff()
	}
	nonce := &session{UIAuthSession: storage.UIAuthSession{Operation: useNonce}}
	if err := a.beginSession(ctx, nonce); err != nil {
		return nil, err
	}
	return &extraapi.GetRegisterNonceResponse{Nonce: nonce.id}, nil
}

// checkNonce checks and deletes a nonce, whatever the result of the request.
func (a *Accounts) checkNonce(ctx context.Context, nonce string) error {
	unknown := api.Unknown("The nonce is unknown, used or too old")
	err := a.DB.Write(ctx, func(tx *storage.Writer) error {
		s, err := tx.LockUIAuthSession(ctx, hashOf(nonce))
		if err != nil {
			return err
		}
		if s.Operation != useNonce || s.Result != "" || !isCurrent(a.Env.NowTS(), s.CreatedAt, nonceLife) {
			return unknown
		}
		s.Result = "spent"
		return tx.PutUIAuthSession(ctx, s)
	})
	if errors.Is(err, storage.ErrNotFound) {
		return unknown
	}
	return err
}

// RegisterWithSharedSecret creates an account. The request proves with an HMAC-SHA1 of
// its values that its sender knows the shared secret of the settings.
func (a *Accounts) RegisterWithSharedSecret(ctx context.Context, req *extraapi.RegisterWithSharedSecretRequest) (*extraapi.RegisterWithSharedSecretResponse, error) {
	if a.Registration.SharedSecret == "" {
		return nil, secretOff()
	}
	body := &req.Body
	if err := a.checkNonce(ctx, body.Nonce); err != nil {
		return nil, err
	}
	signed := []string{body.Nonce, body.Username, body.Password, "notadmin"}
	if body.Admin.Value {
		signed[3] = "admin"
	}
	kind := kindUser
	if body.UserType.Set && body.UserType.Value.Valid {
		kind = body.UserType.Value.Value
		signed = append(signed, kind)
		if !slices.Contains(userTypes, kind) {
			return nil, api.Unknown("There are no users of type %q", kind)
		}
	}
	if body.Password == "" || strings.Contains(body.Password, "\x00") {
		return nil, api.BadJSON("password: it must not be empty, nor hold U+0000, which ends it in what is signed")
	}
	if err := a.signed(body.MAC, signed); err != nil {
		return nil, err
	}
	if err := checkNewPassword(body.Password); err != nil {
		return nil, err
	}
	if len(body.Displayname.Value) > maxName {
		return nil, api.TooLarge("A display name has at most %d bytes", maxName)
	}
	localpart := lower(body.Username)
	if err := a.checkAvailable(ctx, localpart); err != nil {
		return nil, err
	}
	user, g, err := a.createAccount(ctx, &registration{
		kind: kind, localpart: localpart, password: body.Password,
		displayName: body.Displayname.Value, admin: body.Admin.Value, login: true,
	})
	if err != nil {
		return nil, err
	}
	return &extraapi.RegisterWithSharedSecretResponse{
		AccessToken: g.token, DeviceID: string(g.device), HomeServer: a.Name, UserID: user,
	}, nil
}

// signed checks the HMAC of a request's values.
func (a *Accounts) signed(given string, values []string) error {
	mac := hmac.New(sha1.New, []byte(a.Registration.SharedSecret))
	mac.Write([]byte(strings.Join(values, "\x00")))
	sum, err := hex.DecodeString(given)
	if err != nil || !hmac.Equal(sum, mac.Sum(nil)) {
		return api.Forbidden("The HMAC is not right")
	}
	return nil
}
