// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"
	"errors"

	"touchstone.example/server/feed"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
)

var _ syncpart.Part = SyncPart{}

// SyncPart tells a user's devices of the push rules, which are account data.
type SyncPart struct{ *Push }

// Kinds implements syncpart.Part.
func (SyncPart) Kinds() []feed.Kind { return []feed.Kind{feed.KindAccountData} }

// Read implements syncpart.Part.
//
// Spec: client-server "m.push_rules".
func (s SyncPart) Read(ctx context.Context, tx *storage.Reader, w *syncpart.Window, out *syncpart.News) error {
	row, err := tx.PushRules(ctx, w.User)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if w.Since > 0 && (row.Pos <= w.Since || row.Pos > w.UpTo) {
		return nil
	}
	set, err := s.parse(w.User, row)
	if err != nil {
		return err
	}
	out.AccountData = append(out.AccountData, syncpart.Typed{Type: "m.push_rules", Content: content(set)})
	return nil
}
