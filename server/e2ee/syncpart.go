// SPDX-License-Identifier: Apache-2.0

package e2ee

import (
	"context"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/feed"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
)

var (
	_ syncpart.MembersPart = (*E2EE)(nil)
	_ syncpart.Standing    = counts{}
)

// Kinds implements syncpart.Part.
func (*E2EE) Kinds() []feed.Kind { return []feed.Kind{feed.KindDevices} }

// WantsMembers implements syncpart.MembersPart.
func (*E2EE) WantsMembers() {}

// Read implements syncpart.Part. Who knows nothing yet asks for all keys anyway.
//
// Spec: client-server "Extensions to /sync": "only present on an incremental sync".
func (e *E2EE) Read(ctx context.Context, tx *storage.Reader, w *syncpart.Window, out *syncpart.News) error {
	if w.Since == 0 {
		return nil
	}
	lists, err := deviceLists(ctx, tx, w.User, w.Since, w.UpTo, len(w.Members) > 0)
	if err == nil && len(lists.Changed)+len(lists.Left) > 0 {
		out.DeviceLists = lists
	}
	return err
}

// Counts are what every answer to a device says of its keys.
func (e *E2EE) Counts() syncpart.Standing { return counts{} }

type counts struct{}

// usualAlgorithm is counted though no key is left: clients wait for the number 0 to
// upload more.
const usualAlgorithm = "signed_curve25519"

// Kinds implements syncpart.Standing: keys go with their device, too.
func (counts) Kinds() []feed.Kind { return []feed.Kind{feed.KindOneTimeKeys, feed.KindAccess} }

// Load implements syncpart.Standing.
func (counts) Load(ctx context.Context, tx *storage.Reader, user id.UserID, device id.DeviceID) (*syncpart.KeyCounts, error) {
	oneTime, err := tx.CountOneTimeKeys(ctx, user, device)
	if err != nil {
		return nil, err
	}
	if _, counted := oneTime[usualAlgorithm]; !counted {
		oneTime[usualAlgorithm] = 0
	}
	fallback, err := tx.FallbackKeys(ctx, user, device)
	unused := make([]string, 0, len(fallback))
	for _, k := range fallback {
		if !k.Used {
			unused = append(unused, k.Algorithm)
		}
	}
	slices.Sort(unused)
	return &syncpart.KeyCounts{OneTime: oneTime, UnusedFallback: unused}, err
}
