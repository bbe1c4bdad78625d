// SPDX-License-Identifier: Apache-2.0

// Package messages serves what clients write to rooms and read of them: messages,
// state and redactions, and then events, state, members and pages of history. What
// an event must obey is for package rooms to say, who may see it for roomview. It
// must not know how memberships change or how rooms are made.
package messages

import (
	"touchstone.example/server/env"
	"touchstone.example/server/feed"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
)

// Deps are what Messages works with.
type Deps struct {
	DB    *storage.DB
	Feed  *feed.Feed
	Env   *env.Env
	Rooms *rooms.Rooms
	// JoinedProfile is the strictness rule of that name: joined_members always has
	// both members of a profile.
	JoinedProfile bool
}

// Messages serves the events of rooms.
type Messages struct{ Deps }

// New returns Messages.
func New(d Deps) *Messages { return &Messages{d} }
