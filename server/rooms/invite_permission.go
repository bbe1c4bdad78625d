// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"fmt"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomview"
	"touchstone.example/storage"
)

// checkInvitePermission refuses an invitation of a user of ours who blocks them. It
// comes after the authorization rules: who may not invite does not learn whether the
// user blocks invitations. The invitation that a user takes up by a third party's
// signature does not come here, since the user joins by it.
//
// Spec: client-server "Invite permission", "Server behaviour".
func (r *Rooms) checkInvitePermission(ctx context.Context, ev *event.Event) error {
	if ev.Type != event.TypeMember || ev.StateKey == nil || ev.Membership() != "invite" {
		return nil
	}
	target, err := id.ParseUserID(*ev.StateKey)
	if err != nil || target.Server() != r.name {
		return nil // no user of ours
	}
	var blocks bool
	err = r.db.Read(ctx, func(tx *storage.Reader) (err error) {
		blocks, err = roomview.BlocksInvites(ctx, tx, target)
		return err
	})
	if err != nil {
		return fmt.Errorf("invite permission of %s: %w", target, err)
	}
	if blocks {
		return refuse(RuleInvitePermission, "%s does not accept invitations", target)
	}
	return nil
}
