// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"touchstone.example/api"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// hashOf is the form in which a token is stored, so that reading the database gives no
// usable token.
func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// An access is what a token permits, as read at a stream position.
type access struct {
	who        api.Caller
	hash       string
	stamp      int64
	expires    int64        // milliseconds; 0 for never
	lastSeenAt atomic.Int64 // when its use was last stored
}

// Caller returns the caller of a request by its access token. Permit decides what the
// caller may do.
//
// Spec: client-server "Using access tokens", "Soft logout".
func (a *Accounts) Caller(r *http.Request, token string) (api.Caller, error) {
	ctx, hash := r.Context(), hashOf(token)
	t := a.tokens.get(a.Feed, hash)
	if t == nil {
		var err error
		if t, err = a.access(ctx, hash); err != nil {
			return api.Caller{}, err
		}
		a.tokens.put(t)
	}
	now := a.Env.NowTS()
	if t.expires != 0 && t.expires <= now {
		return api.Caller{}, api.UnknownToken(true)
	}
	if err := a.recordLastSeen(r, t, now); err != nil {
		a.Log.LogAttrs(ctx, slog.LevelWarn, "the use of a device is not written down", slog.String("error", err.Error()))
	}
	return t.who, nil
}

// access reads what a token permits. It takes the position before it reads, so that any
// change the read misses has a later position.
func (a *Accounts) access(ctx context.Context, hash string) (*access, error) {
	//house:allow stamp the token is read after it
	t := &access{hash: hash, stamp: a.Feed.Stamp()}
	var user *storage.User
	var row *storage.AccessToken
	err := a.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		if row, err = tx.AccessToken(ctx, hash); err != nil {
			return err
		}
		user, err = tx.User(ctx, row.UserID)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) || err == nil && user.DeactivatedAt != 0 {
		return nil, api.UnknownToken(false)
	}
	if err != nil {
		return nil, fmt.Errorf("find access token: %w", err)
	}
	t.expires = row.ExpiresAt
	t.lastSeenAt.Store(row.UsedAt)
	t.who = api.Caller{
		User: user.ID, Device: row.DeviceID,
		Guest: user.Kind == kindGuest, Admin: user.Admin, Locked: user.Locked,
	}
	return t, nil
}

// lastSeenInterval is the least time between two stored uses of a token, in
// milliseconds.
const lastSeenInterval = 60 * 1000

// recordLastSeen stores when and from where a token is used, at most once a minute for
// each token.
//
// Spec: client-server getDevices, "last_seen_ts": "may be a few minutes out of
// date".
func (a *Accounts) recordLastSeen(r *http.Request, t *access, now int64) error {
	last := t.lastSeenAt.Load()
	lately := last != 0 && last-lastSeenInterval < now && now < last+lastSeenInterval // not by a clock that was ahead
	if lately || !t.lastSeenAt.CompareAndSwap(last, now) {
		return nil
	}
	ip := ""
	if a, ok := api.AddressOf(r); ok { // some transports have none
		ip = a.String()
	}
	seen := storage.Device{
		UserID: t.who.User, ID: t.who.Device, SeenAt: now, SeenIP: ip, SeenAgent: truncate(r.UserAgent(), maxName),
	}
	return a.DB.Write(r.Context(), func(tx *storage.Writer) error {
		if err := tx.TouchAccessToken(r.Context(), t.hash, now); err != nil {
			return err
		}
		return tx.TouchDevice(r.Context(), &seen)
	})
}

// truncate shortens text to a number of bytes, between two characters.
func truncate(s string, bytes int) string {
	if len(s) <= bytes {
		return s
	}
	return strings.ToValidUTF8(s[:bytes], "")
}

// tokenCache caches what tokens permit. An entry is valid until its user's access
// changes, in any process.
type tokenCache struct {
	mu      sync.RWMutex
	entries map[string]*access
}

// maxTokens bounds the cache.
const maxTokens = 16384

func (c *tokenCache) get(f *feed.Feed, hash string) *access {
	c.mu.RLock()
	t := c.entries[hash]
	c.mu.RUnlock()
	if t == nil || f.Changed(t.stamp, feed.Access(t.who.User)) {
		return nil
	}
	return t
}

func (c *tokenCache) put(t *access) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[string]*access{}
	}
	if len(c.entries) >= maxTokens && c.entries[t.hash] == nil {
		for other := range c.entries { // any entry: it can be read again
			delete(c.entries, other)
			break
		}
	}
	c.entries[t.hash] = t
}
