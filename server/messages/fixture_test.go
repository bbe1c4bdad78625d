// SPDX-License-Identifier: Apache-2.0

package messages_test

import (
	"testing"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
)

// A fixture is a server of rooms.
type fixture struct{ *roomtest.Server }

func newFixture(t testing.TB, db *storage.DB) *fixture {
	t.Helper()
	return &fixture{roomtest.New(t, db, nil)}
}

// each runs a test with a fixture on every engine.
func each(t *testing.T, fn func(t *testing.T, h *fixture)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) { fn(t, newFixture(t, db)) })
}

// in is the fixture for a subtest.
func (h *fixture) in(t testing.TB) *fixture { return &fixture{h.In(t)} }
