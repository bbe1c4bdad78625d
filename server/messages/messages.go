// SPDX-License-Identifier: Apache-2.0

// Package messages serves the operations that send messages, state and redactions, and
// that read events, state, members and history. Package rooms checks events; roomview
// decides who may see them. It must not know how memberships change or how rooms are
// created.
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
