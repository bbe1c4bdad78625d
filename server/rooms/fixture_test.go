// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"testing"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
)

// A fixture is a server of rooms, and the other servers that it asks.
type fixture struct {
	*roomtest.Server
	world *world
}

func newFixture(t testing.TB, db *storage.DB) *fixture {
	t.Helper()
	w := newWorld()
	return &fixture{roomtest.New(t, db, func(d *roomtest.Deps) { d.Rooms.Keys, d.Rooms.Remote = w, w }), w}
}

// each runs a test with a fixture on every engine.
func each(t *testing.T, fn func(t *testing.T, h *fixture)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) { fn(t, newFixture(t, db)) })
}

// in is the fixture for a subtest.
func (h *fixture) in(t testing.TB) *fixture { return &fixture{h.In(t), h.world} }

// another is the same fixture in another process.
func (h *fixture) another(change func(*roomtest.Deps)) *fixture {
	return &fixture{h.Another(change), h.world}
}
