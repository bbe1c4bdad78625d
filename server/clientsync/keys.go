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
	users map[id.UserID]*userKeys
}

type userKeys struct {
	keys   []feed.Key
	joined map[int64]*storage.Membership
	asOf   int64
}

const maxUsers = 16384

// known returns what is remembered of a user, nil if that may be out of date.
func (c *keyCache) known(f *feed.Feed, user id.UserID) *userKeys {
	c.mu.Lock()
	entry := c.users[user]
	c.mu.Unlock()
	if entry == nil || f.Changed(entry.asOf, feed.User(user)) {
		return nil
	}
	return entry
}

func (c *keyCache) of(ctx context.Context, db *storage.DB, f *feed.Feed, user id.UserID) ([]feed.Key, error) {
	if entry := c.known(f, user); entry != nil {
		return entry.keys, nil
	}
	//house:allow stamp the memberships are read after it
	entry := &userKeys{asOf: f.Stamp(), keys: []feed.Key{feed.User(user)}, joined: map[int64]*storage.Membership{}}
	err := db.Read(ctx, func(tx *storage.Reader) error {
		joined, err := tx.MembershipsOf(ctx, user, "join")
		for _, m := range joined {
			entry.keys = append(entry.keys, feed.Room(m.RoomNID))
			entry.joined[m.RoomNID] = m
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == nil || len(c.users) >= maxUsers {
		c.users = map[id.UserID]*userKeys{}
	}
	c.users[user] = entry
	return entry.keys, nil
}

// names remembers what rooms are called, which never changes.
type names struct {
	mu  sync.RWMutex
	ids map[int64]id.RoomID
}

const maxNames = 65536

func (n *names) of(ctx context.Context, tx *storage.Reader, nids []int64) (map[int64]id.RoomID, error) {
	out := make(map[int64]id.RoomID, len(nids))
	var unknown []int64
	n.mu.RLock()
	for _, nid := range nids {
		if roomID, ok := n.ids[nid]; ok {
			out[nid] = roomID
		} else {
			unknown = append(unknown, nid)
		}
	}
	n.mu.RUnlock()
	if len(unknown) == 0 {
		return out, nil
	}
	found, err := tx.RoomIDs(ctx, unknown)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ids == nil || len(n.ids) > maxNames {
		n.ids = map[int64]id.RoomID{}
	}
	for nid, roomID := range found {
		out[nid], n.ids[nid] = roomID, roomID
	}
	return out, nil
}
