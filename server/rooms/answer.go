// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"errors"
	"net/http"

	"touchstone.example/api"
	"touchstone.example/api/id"
)

// answerTo says to a client why its event may not enter a room. A room this server
// does not know is answered like one the caller is not in, so that nobody can probe
// for rooms.
func answerTo(err error, roomID id.RoomID) error {
	var refusal *Refusal
	var content *InvalidContent
	switch {
	case errors.Is(err, ErrUnknownRoom):
		return api.Forbidden("You are not in room %s", roomID)
	case errors.As(err, &content) && content.TooLarge:
		return api.TooLarge("%s", content.Reason)
	case errors.As(err, &content):
		return api.BadJSON("%s", content.Reason)
	case errors.As(err, &refusal):
		code := "M_FORBIDDEN"
		if refusal.Rule == RuleGuestAccess {
			code = "M_GUEST_ACCESS_FORBIDDEN"
		}
		return &api.Error{Status: http.StatusForbidden, ErrCode: code, Msg: refusal.Reason, Err: err}
	}
	return err
}

// answerSent is answerTo for an event that the client wrote itself.
//
// Spec: client-server setRoomStateWithKey: 400 is for a request that is
// malformed, 403 for a lack of permission.
func answerSent(err error, roomID id.RoomID) error {
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.Malformed {
		return &api.Error{Status: http.StatusBadRequest, ErrCode: "M_BAD_JSON", Msg: refusal.Reason, Err: err}
	}
	return answerTo(err, roomID)
}

// answerRedaction is answerTo for a redaction of an event.
func answerRedaction(err error, roomID id.RoomID, target id.EventID) error {
	if errors.Is(err, ErrUnknownEvent) {
		return api.NotFound("Event %s is not in this room", target)
	}
	return answerTo(err, roomID)
}
