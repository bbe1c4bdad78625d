// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"

	"touchstone.example/server/feed"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
)

var _ syncpart.Part = SyncPart{}

// SyncPart tells a user's devices of the push rules, which are account data.
type SyncPart struct{}

// Kinds implements syncpart.Part. The default rules never change.
func (SyncPart) Kinds() []feed.Kind { return nil }

// Read implements syncpart.Part.
//
// Spec: client-server "m.push_rules".
func (SyncPart) Read(_ context.Context, _ *storage.Reader, w *syncpart.Window, out *syncpart.News) error {
	if w.Since == 0 {
		out.AccountData = append(out.AccountData, syncpart.Typed{Type: "m.push_rules", Content: content(w.User)})
	}
	return nil
}
