// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/ops"
	"touchstone.example/server/accounts"
)

// guestPaths is the specification's list of what guests may call.
//
// Spec: client-server "Guest Access", "Client behaviour".
var guestPaths = []string{
	"GET rooms/{roomId}/state", "GET rooms/{roomId}/context/{eventId}", "GET rooms/{roomId}/event/{eventId}",
	"GET rooms/{roomId}/state/{eventType}/{stateKey}", "GET rooms/{roomId}/messages", "GET rooms/{roomId}/members",
	"GET rooms/{roomId}/initialSync", "GET sync", "GET events",
	"GET media/download/{serverName}/{mediaId}", "GET media/download/{serverName}/{mediaId}/{fileName}",
	"GET media/thumbnail/{serverName}/{mediaId}",
	"POST rooms/{roomId}/join", "POST rooms/{roomId}/leave", "PUT rooms/{roomId}/send/{eventType}/{txnId}",
	"PUT rooms/{roomId}/state/{eventType}/{stateKey}", "PUT sendToDevice/{eventType}/{txnId}",
	"PUT profile/{userId}/{keyName}", "DELETE profile/{userId}/{keyName}",
	"GET devices", "GET devices/{deviceId}", "PUT devices/{deviceId}", "GET account/whoami",
	"POST keys/upload", "POST keys/query", "POST keys/claim",
}

// TestPermit goes through all operations that take a token.
func TestPermit(t *testing.T) {
	var acc accounts.Accounts
	user, guest, locked := api.Caller{}, api.Caller{Guest: true}, api.Caller{Locked: true}
	var open, unlocked []string
	for _, op := range ops.All {
		if op.API != "clientapi" || op.Auth != api.AuthUser && op.Auth != api.AuthOptional {
			continue
		}
		require.NoError(t, acc.Permit(op, user), op.ID)
		if err := acc.Permit(op, guest); err == nil {
			open = append(open, op.ID)
		} else {
			requireError(t, err, 403, "M_GUEST_ACCESS_FORBIDDEN")
		}
		if err := acc.Permit(op, locked); err == nil {
			unlocked = append(unlocked, op.ID)
		} else {
			requireError(t, err, 401, "M_USER_LOCKED")
		}
	}
	var want []string
	for _, op := range ops.All {
		if op.API == "clientapi" && (op.Auth == api.AuthOptional || op.Auth == api.AuthUser && slices.Contains(guestPaths, short(op))) && op.ID != "getEvents" {
			want = append(want, op.ID) // of /events, only what room previews use
		}
	}
	require.Equal(t, want, open)
	require.Equal(t, []string{"logout", "logout_all"}, unlocked)
	requireError(t, acc.Permit(&ops.ClientSync, api.Caller{Guest: true, Locked: true}), 401, "M_USER_LOCKED")
	acc.GuestJoinByName = true
	require.NoError(t, acc.Permit(&ops.ClientJoinRoom, guest))
}

// short is an operation as the specification's list writes it.
func short(op *api.Operation) string {
	path := op.Path[len("/_matrix/client/v1/"):]
	return op.Method + " " + path
}

func requireError(t *testing.T, err error, status int, errcode string) {
	t.Helper()
	var e *api.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, status, e.Status)
	require.Equal(t, errcode, e.ErrCode)
}

// TestGuestsAtTheDoor: the routes ask.
func TestGuestsAtTheDoor(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		token := h.ok("POST", pathRegister+"?kind=guest", "", `{}`).At("access_token")
		require.Equal(t, 200, h.do("GET", "/_matrix/client/v3/devices", token, nil).Status)
		for _, path := range []string{"/_matrix/client/v3/logout", "/_matrix/client/v3/delete_devices"} {
			a := h.do("POST", path, token, `{"devices":[]}`)
			require.Equal(t, 403, a.Status)
			require.Equal(t, "M_GUEST_ACCESS_FORBIDDEN", a.At("errcode"))
		}
	})
}
