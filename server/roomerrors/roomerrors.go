// SPDX-License-Identifier: Apache-2.0

// Package roomerrors converts errors of package rooms to errors for clients. The engine
// knows no status code, and slices do not import each other, so their common answers
// are here. It must not decide anything about a room.
package roomerrors

import (
	"errors"
	"net/http"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/server/rooms"
)

// ToClient returns the answer to a request that an error of the engine ends. A
// room that this server does not know is answered like one that the caller is not
// in, so that nobody can probe for rooms. An error that is no refusal stays as it is.
func ToClient(err error, roomID id.RoomID) error {
	var refusal *rooms.Refusal
	var content *rooms.InvalidContent
	switch {
	case errors.Is(err, rooms.ErrUnknownRoom):
		answer := api.Forbidden("You are not in room %s", roomID)
		answer.Err = err
		return answer
	case errors.As(err, &content) && content.TooLarge:
		return api.TooLarge("%s", content.Reason)
	case errors.As(err, &content):
		return api.BadJSON("%s", content.Reason)
	case errors.As(err, &refusal):
		code := "M_FORBIDDEN"
		switch refusal.Rule {
		case rooms.RuleGuestAccess:
			code = "M_GUEST_ACCESS_FORBIDDEN"
		case rooms.RuleInvitePermission:
			code = "M_INVITE_BLOCKED"
		}
		return &api.Error{Status: http.StatusForbidden, ErrCode: code, Msg: refusal.Reason, Err: err}
	}
	return err
}
