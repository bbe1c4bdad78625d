// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"net/http"

	"touchstone.example/api"
	"touchstone.example/generated/ops"
)

// Permit says which operations a user may call at all. It is the one place
// that keeps locked accounts and guests from the others; what depends on a
// request's values stays with the operation.
//
// Spec: client-server "Account locking", "Guest Access".
func (a *Accounts) Permit(op *api.Operation, who api.Caller) error {
	switch {
	case who.Locked && op != &ops.ClientLogout && op != &ops.ClientLogoutAll:
		return locked()
	case who.Guest && op == &ops.ClientJoinRoom && a.GuestJoinByName:
		return nil // whether guests may join the room, the room says
	case who.Guest && op.Auth == api.AuthUser && !forGuests[op]:
		return api.Errorf(http.StatusForbidden, "M_GUEST_ACCESS_FORBIDDEN", "Guests may not do this")
	}
	return nil
}

// locked is what the owner of a locked account hears: keep what you have, the
// lock may be taken off again.
func locked() *api.Error {
	e := api.Errorf(http.StatusUnauthorized, "M_USER_LOCKED", "This account has been locked")
	e.Extra = map[string]any{"soft_logout": true}
	return e
}

// forGuests lists what guests may call, in the order of the specification.
//
// Spec: client-server "Guest Access", "Client behaviour". A guest's profile
// is limited further where it is changed.
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
