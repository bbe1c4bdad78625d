// SPDX-License-Identifier: Apache-2.0

// Package rooms is the only way to add events to rooms: it builds events, checks them
// with the room's rules and commits them, with everything that must change at the same
// time, in one transaction. Slices use it; it imports none of them, and knows no
// operation and no status code.
package rooms

import (
	"context"
	"log/slog"
	"sync"

	"touchstone.example/api/id"
	"touchstone.example/server/env"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/feed"
	"touchstone.example/server/pushrules"
	"touchstone.example/storage"
)

// Deps are what Rooms works with.
type Deps struct {
	DB     *storage.DB
	Feed   *feed.Feed
	Env    *env.Env
	Log    *slog.Logger
	Name   id.ServerName
	Signer event.Signer
	// StateIdempotent is the strictness rule of that name: setting state to its current
	// content sends no event.
	StateIdempotent bool
	// Verify tells whether a server has signed an event.
	Verify eventauth.Verifier
	// Keys finds the keys of other servers. Nil knows none.
	Keys KeyRing
	// Remote makes requests to other servers. With nil none are made, so that missing
	// events stay missing.
	Remote Remote
	// Predefined are the push rules that every user has. Nil: the standard ones.
	Predefined *pushrules.Predefined
	// MemberRules decides for members with push rules of their own. Nil: there are
	// none.
	MemberRules MemberRules
	// Identity asks the identity servers of third-party invites.
	Identity Identity
}

// Identity asks identity servers.
type Identity interface {
	// ConfirmAnyKey says why none of some keys is still valid, nil if one is.
	ConfirmAnyKey(ctx context.Context, keys []eventauth.InviteKey) error
}

// Rooms holds the rooms that this server is in.
type Rooms struct {
	db     *storage.DB
	feed   *feed.Feed
	env    *env.Env
	log    *slog.Logger
	name   id.ServerName
	signer event.Signer
	verify eventauth.Verifier
	keys   KeyRing
	remote Remote

	identity        Identity
	stateIdempotent bool
	predefined      *pushrules.Predefined
	memberRules     MemberRules

	createTimes createTimes

	queues roomQueues
	heads  heads
	nids   nidCache
	auths  authCache
}

// New returns the rooms of a database.
func New(d Deps) *Rooms {
	if d.Predefined == nil {
		d.Predefined = pushrules.Standard
	}
	return &Rooms{
		db: d.DB, feed: d.Feed, env: d.Env, log: d.Log, name: d.Name,
		signer: d.Signer, verify: d.Verify, stateIdempotent: d.StateIdempotent,
		keys: d.Keys, remote: d.Remote, identity: d.Identity,
		predefined: d.Predefined, memberRules: d.MemberRules,
	}
}

// nidCache remembers the row numbers of rooms, which never change.
type nidCache struct {
	mu   sync.RWMutex
	nids map[id.RoomID]int64
}

const maxNIDs = 65536

func (c *nidCache) get(roomID id.RoomID) (int64, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	nid, ok := c.nids[roomID]
	return nid, ok
}

func (c *nidCache) put(roomID id.RoomID, nid int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nids == nil || len(c.nids) >= maxNIDs {
		c.nids = map[id.RoomID]int64{}
	}
	c.nids[roomID] = nid
}
