// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// hashOf is how a token is stored: whoever reads the database can use none.
func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// A grant is a device that may act for a user, and its new access token.
type grant struct {
	user        id.UserID
	device      id.DeviceID
	displayName string // of a device that is new
	token       string
}

// newGrant draws a token, and a device's ID where the client names none.
func (a *Accounts) newGrant(user id.UserID, device, displayName api.Opt[string]) grant {
	g := grant{user: user, device: id.DeviceID(device.Value), displayName: displayName.Value}
	if g.device == "" {
		g.device = id.DeviceID(a.Env.Rand.Token("device id", string(user), 10))
	}
	g.token = a.Env.Rand.Token("access token", string(user), 43)
	return g
}

// write stores a grant. An earlier token of the same device ends with it.
//
// Spec: client-server login, "device_id".
func (g *grant) write(ctx context.Context, tx *storage.Writer, now int64) error {
	_, err := tx.Device(ctx, g.user, g.device)
	known := err == nil
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if known {
		if err := tx.DeleteDeviceAccess(ctx, g.user, g.device); err != nil {
			return err
		}
		if err := revoke(ctx, tx, g.user); err != nil {
			return err
		}
	}
	err = tx.PutDevice(ctx, &storage.Device{
		UserID: g.user, ID: g.device, DisplayName: g.displayName, CreatedAt: now, SeenAt: now,
	})
	if err != nil {
		return err
	}
	return tx.InsertAccessToken(ctx, &storage.AccessToken{
		Hash: hashOf(g.token), UserID: g.user, DeviceID: g.device, CreatedAt: now,
	})
}

// Caller finds whose access token a request carries.
//
// Spec: client-server "Using access tokens".
func (a *Accounts) Caller(r *http.Request, token string) (api.Caller, error) {
	hash := hashOf(token)
	if who, ok := a.tokens.get(a.Feed, hash); ok {
		return who, nil
	}
	asOf := a.Feed.Safe()
	var user *storage.User
	var access *storage.AccessToken
	ctx := r.Context()
	err := a.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		if access, err = tx.AccessToken(ctx, hash); err != nil {
			return err
		}
		user, err = tx.User(ctx, access.UserID)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return api.Caller{}, api.UnknownToken(false)
	}
	if err != nil {
		return api.Caller{}, fmt.Errorf("find access token: %w", err)
	}
	if access.ExpiresAt != 0 && access.ExpiresAt <= a.Env.NowTS() {
		return api.Caller{}, api.UnknownToken(true)
	}
	if user.DeactivatedAt != 0 {
		return api.Caller{}, api.UnknownToken(false)
	}
	if user.Locked {
		return api.Caller{}, &api.Error{
			Status: http.StatusUnauthorized, ErrCode: "M_USER_LOCKED", Msg: "This account is locked",
			Extra: map[string]any{"soft_logout": true},
		}
	}
	who := api.Caller{
		User: user.ID, Device: access.DeviceID, Guest: user.Kind == kindGuest, Admin: user.Admin,
	}
	if access.ExpiresAt == 0 {
		a.tokens.put(hash, who, asOf)
	}
	return who, nil
}

// tokenCache remembers whose tokens are whose. An entry holds as long as
// nothing has changed for its user since it was read, in any process.
type tokenCache struct {
	mu      sync.RWMutex
	entries map[string]tokenEntry
}

type tokenEntry struct {
	who  api.Caller
	asOf int64
}

const maxTokens = 16384

func (c *tokenCache) get(f *feed.Feed, hash string) (api.Caller, bool) {
	c.mu.RLock()
	e, ok := c.entries[hash]
	c.mu.RUnlock()
	if !ok || f.Changed(e.asOf, feed.User(e.who.User)) {
		return api.Caller{}, false
	}
	return e.who, true
}

func (c *tokenCache) put(hash string, who api.Caller, asOf int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || len(c.entries) >= maxTokens {
		c.entries = map[string]tokenEntry{}
	}
	c.entries[hash] = tokenEntry{who, asOf}
}
