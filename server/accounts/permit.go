// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"net/http"

	"touchstone.example/api"
	"touchstone.example/generated/ops"
)

// Permit decides which operations a user may call at all. All limits of locked accounts
// and guests are here, except those that depend on a request's values.
//
// Spec: client-server "Account locking", "Guest Access".
func (a *Accounts) Permit(op *api.Operation, who api.Caller) error {
	switch {
	case who.Locked && op != &ops.ClientLogout && op != &ops.ClientLogoutAll:
		return locked()
	case who.Guest && op == &ops.ClientJoinRoom && a.GuestJoinByName:
		return nil // the room's state decides whether guests may join
	case who.Guest && op.Auth == api.AuthUser && !forGuests[op]:
		return api.Errorf(http.StatusForbidden, "M_GUEST_ACCESS_FORBIDDEN", "Guests may not do this")
	}
	return nil
}

// locked is the answer for a locked account. soft_logout tells clients to keep their
// data, since the account may be unlocked.
func locked() *api.Error {
	e := api.Errorf(http.StatusUnauthorized, "M_USER_LOCKED", "This account has been locked")
	e.Extra = map[string]any{"soft_logout": true}
	return e
}

// forGuests lists what guests may call, in the order of the specification.
//
// Spec: client-server "Guest Access", "Client behaviour". Profiles limits further which
// fields a guest may set.
var forGuests = map[*api.Operation]bool{
	&ops.ClientGetRoomState:                 true,
	&ops.ClientGetEventContext:              true,
	&ops.ClientGetOneRoomEvent:              true,
	&ops.ClientGetRoomStateWithKey:          true,
	&ops.ClientGetRoomEvents:                true,
	&ops.ClientGetMembersByRoom:             true,
	&ops.ClientRoomInitialSync:              true,
	&ops.ClientSync:                         true,
	&ops.ClientPeekEvents:                   true,
	&ops.ClientGetContentAuthed:             true,
	&ops.ClientGetContentOverrideNameAuthed: true,
	&ops.ClientGetContentThumbnailAuthed:    true,

	&ops.ClientJoinRoomByID:        true,
	&ops.ClientLeaveRoom:           true,
	&ops.ClientSendMessage:         true,
	&ops.ClientSetRoomStateWithKey: true,
	&ops.ClientSendToDevice:        true,

	&ops.ClientSetProfileField:    true,
	&ops.ClientDeleteProfileField: true,
	&ops.ClientGetDevices:         true,
	&ops.ClientGetDevice:          true,
	&ops.ClientUpdateDevice:       true,
	&ops.ClientGetTokenOwner:      true,

	&ops.ClientUploadKeys: true,
	&ops.ClientQueryKeys:  true,
	&ops.ClientClaimKeys:  true,
}
