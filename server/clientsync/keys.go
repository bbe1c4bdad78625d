// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"
	"sync"

	"touchstone.example/api/id"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// keyCache remembers what wakes a user's sync: the user and the rooms that the
// user is in. An entry holds until something changes for the user alone, which
// every change of membership does.
type keyCache struct {
	mu    sync.Mutex
	users map[id.UserID]userKeys
}

type userKeys struct {
	keys []feed.Key
	asOf int64
}

const maxUsers = 16384

func (c *keyCache) of(ctx context.Context, db *storage.DB, f *feed.Feed, user id.UserID) ([]feed.Key, error) {
	c.mu.Lock()
	entry, ok := c.users[user]
	c.mu.Unlock()
	if ok && !f.Changed(entry.asOf, feed.User(user)) {
		return entry.keys, nil
	}
	entry = userKeys{asOf: f.Safe(), keys: []feed.Key{feed.User(user)}}
	err := db.Read(ctx, func(tx *storage.Reader) error {
		joined, err := tx.MembershipsOf(ctx, user, "join")
		for _, m := range joined {
			entry.keys = append(entry.keys, feed.Room(m.RoomNID))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == nil || len(c.users) >= maxUsers {
		c.users = map[id.UserID]userKeys{}
	}
	c.users[user] = entry
	return entry.keys, nil
}
