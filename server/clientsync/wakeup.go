// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"
	"sync"

	"touchstone.example/api/id"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// wakeKeyCache caches the rooms that users have joined, and the keys that wake their
// syncs. An entry is valid until the user's memberships change.
type wakeKeyCache struct {
	kinds []feed.Kind // kinds of changes that wake a sync
	mu    sync.Mutex
	users map[id.UserID]*userKeys
}

type userKeys struct {
	keys   []feed.Key
	joined map[int64]*storage.Membership
	asOf   int64
}

const maxUsers = 16384

// get returns the entry of a user, nil if it may be out of date.
func (c *wakeKeyCache) get(f *feed.Feed, user id.UserID) *userKeys {
	c.mu.Lock()
	entry := c.users[user]
	c.mu.Unlock()
	if entry == nil || f.Changed(entry.asOf, feed.Memberships(user)) {
		return nil
	}
	return entry
}

func (c *wakeKeyCache) keysOf(ctx context.Context, db *storage.DB, f *feed.Feed, user id.UserID) ([]feed.Key, error) {
	if entry := c.get(f, user); entry != nil {
		return entry.keys, nil
	}
	//house:allow stamp the memberships are read after it
	entry := &userKeys{asOf: f.Stamp(), joined: map[int64]*storage.Membership{}}
	var nids []int64
	err := db.Read(ctx, func(tx *storage.Reader) error {
		joined, err := tx.MembershipsOf(ctx, user, "join")
		for _, m := range joined {
			nids = append(nids, m.RoomNID)
			entry.joined[m.RoomNID] = m
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	entry.keys = feed.KeysOf(c.kinds, user, nids)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == nil || len(c.users) >= maxUsers {
		c.users = map[id.UserID]*userKeys{}
	}
	c.users[user] = entry
	return entry.keys, nil
}

// roomIDCache caches the room IDs of rows, which never change.
type roomIDCache struct {
	mu  sync.RWMutex
	ids map[int64]id.RoomID
}

const maxRoomIDs = 65536

func (n *roomIDCache) get(ctx context.Context, tx *storage.Reader, nids []int64) (map[int64]id.RoomID, error) {
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
	if n.ids == nil || len(n.ids) > maxRoomIDs {
		n.ids = map[int64]id.RoomID{}
	}
	for nid, roomID := range found {
		out[nid], n.ids[nid] = roomID, roomID
	}
	return out, nil
}
