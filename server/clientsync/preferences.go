// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"
	"sync"

	"touchstone.example/api/id"
	"touchstone.example/server/feed"
	"touchstone.example/server/roomview"
	"touchstone.example/storage"
)

// preferences are what a user's account data says about whom to hear of.
type preferences struct {
	ignored map[id.UserID]bool
	// blocksInvites hides invitations.
	//
	// Spec: client-server "Invite permission": those "already in the database … MUST
	// NOT be served over client synchronisation endpoints".
	blocksInvites bool
	asOf          int64
}

// preferenceCache remembers preferences until the user's account data changes.
type preferenceCache struct {
	mu    sync.Mutex
	users map[id.UserID]*preferences
}

// loadPreferences reads whom the user wants to hear of.
func (a *answerBuilder) loadPreferences(ctx context.Context) (err error) {
	c, user := &a.Sync.preferences, a.who.User
	c.mu.Lock()
	a.prefers = c.users[user]
	c.mu.Unlock()
	if a.prefers != nil && !a.Feed.Changed(a.prefers.asOf, feed.KeysOf([]feed.Kind{feed.KindAccountData}, user, nil)...) {
		return nil
	}
	list, err := a.tx.AccountDataOf(ctx, user, roomview.TypeIgnoredUsers, roomview.TypeInvitePermission)
	if err != nil {
		return err
	}
	a.prefers = &preferences{asOf: a.upTo}
	for _, d := range list {
		a.prefers.take(d)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == nil || len(c.users) >= maxUsers {
		c.users = map[id.UserID]*preferences{}
	}
	c.users[user] = a.prefers
	return nil
}

func (p *preferences) take(d *storage.AccountData) {
	switch d.Type {
	case roomview.TypeIgnoredUsers:
		p.ignored = roomview.IgnoredIn(d.Content, d.UserID)
	case roomview.TypeInvitePermission:
		p.blocksInvites = roomview.BlocksInvitesIn(d.Content)
	}
}

// hidesInvite reports whether the user is not to hear of an invitation.
//
// Spec: client-server "Ignoring Users": "Servers must not send room invites from
// ignored users to clients."
func (p *preferences) hidesInvite(m *storage.Membership) bool {
	return m.Membership == "invite" && (p.blocksInvites || p.ignored[m.Sender])
}
