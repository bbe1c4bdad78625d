// SPDX-License-Identifier: Apache-2.0

package roomview

import (
	"context"
	"errors"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/storage"
)

// TypeInvitePermission is the account data that says who may invite a user.
const TypeInvitePermission = "m.invite_permission_config"

// BlocksInvites reads whether a user blocks all invitations.
func BlocksInvites(ctx context.Context, tx *storage.Reader, user id.UserID) (bool, error) {
	d, err := tx.AccountData(ctx, user, 0, TypeInvitePermission)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return BlocksInvitesIn(d.Content), nil
}

// BlocksInvitesIn reports whether the content of m.invite_permission_config blocks
// all invitations. What clients have put there in another form blocks none.
//
// Spec: client-server "Invite permission", "m.invite_permission_config".
func BlocksInvitesIn(content []byte) bool {
	action, _ := event.Text(event.Member(content, "default_action"))
	return action == "block"
}
