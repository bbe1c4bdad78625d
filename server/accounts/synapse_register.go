// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" // the algorithm is the protocol's
	"encoding/hex"
	"strings"
	"sync"

	"touchstone.example/api"
	"touchstone.example/generated/extraapi"
)

// nonceLife is how long a nonce can be used, in milliseconds.
const nonceLife = 60 * 1000

// maxNonces bounds how many are open at a time.
const maxNonces = 1024

// nonces are single-use numbers for shared-secret registration. A nonce is of
// this process and does not outlive it: whoever asked simply asks again.
type nonces struct {
	mu   sync.Mutex
	open map[string]int64 // until when
}

func (n *nonces) add(nonce string, now int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for k, until := range n.open {
		if until < now {
			delete(n.open, k)
		}
	}
	if n.open == nil || len(n.open) >= maxNonces {
		n.open = map[string]int64{}
	}
	n.open[nonce] = now + nonceLife
}

func (n *nonces) take(nonce string, now int64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	until, ok := n.open[nonce]
	delete(n.open, nonce)
	return ok && now <= until
}

// GetRegisterNonce begins a shared-secret registration.
func (a *Accounts) GetRegisterNonce(context.Context, *extraapi.GetRegisterNonceRequest) (*extraapi.GetRegisterNonceResponse, error) {
	if a.Registration.SharedSecret == "" {
		return nil, api.Unrecognized("Shared-secret registration is off on this server")
	}
	nonce := a.Env.Rand.Token("registration nonce", "", 32)
	a.nonces.add(nonce, a.Env.NowTS())
	return &extraapi.GetRegisterNonceResponse{Nonce: nonce}, nil
}

// RegisterWithSharedSecret makes an account for whoever knows the secret of
// the settings: the request carries an HMAC-SHA1 of its values.
func (a *Accounts) RegisterWithSharedSecret(ctx context.Context, req *extraapi.RegisterWithSharedSecretRequest) (*extraapi.RegisterWithSharedSecretResponse, error) {
	if a.Registration.SharedSecret == "" {
		return nil, api.Unrecognized("Shared-secret registration is off on this server")
	}
	body := &req.Body
	if !a.nonces.take(body.Nonce, a.Env.NowTS()) {
		return nil, api.Unknown("The nonce is unknown, used or too old")
	}
	role := "notadmin"
	if body.Admin.Value {
		role = "admin"
	}
	signed := []string{body.Nonce, body.Username, body.Password, role}
	if body.UserType.Set && body.UserType.Value.Valid {
		signed = append(signed, body.UserType.Value.Value)
	}
	mac := hmac.New(sha1.New, []byte(a.Registration.SharedSecret))
	mac.Write([]byte(strings.Join(signed, "\x00")))
	given, err := hex.DecodeString(body.MAC)
	if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		return nil, api.Forbidden("The HMAC is not right")
	}
	user, g, err := a.admit(ctx, newcomer{
		kind: kindUser, localpart: strings.ToLower(body.Username), password: body.Password,
		displayName: body.Displayname.Value, admin: body.Admin.Value, login: true,
	})
	if err != nil {
		return nil, err
	}
	return &extraapi.RegisterWithSharedSecretResponse{
		AccessToken: g.token, DeviceID: string(g.device), HomeServer: a.Name, UserID: user,
	}, nil
}
