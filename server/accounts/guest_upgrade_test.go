// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/tests/slicetest"
)

// TestAGuestBecomesAUser: the account stays, and is no guest's any more.
//
// Spec: client-server "Guest Access", guest_access_token.
func TestAGuestBecomesAUser(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		alice := h.register("alice")
		guest := h.ok("POST", pathRegister+"?kind=guest", "", slicetest.O{})
		token, user := guest.At("access_token"), id.UserID(guest.At("user_id"))
		other := h.ok("POST", pathRegister+"?kind=guest", "", slicetest.O{})
		require.Equal(t, "true", h.ok("GET", pathWhoami, token, nil).At("is_guest")) // and remembered

		body := func(name, by string) slicetest.O {
			return slicetest.O{"username": name, "password": password, "guest_access_token": by, "auth": dummy("")}
		}
		refuse := func(name string, body any) slicetest.Row {
			return slicetest.Row{Name: name, Method: "POST", Path: pathRegister, Body: body, Status: 403, ErrCode: "M_FORBIDDEN"}
		}
		slicetest.Table(t, h.router, []slicetest.Row{
			refuse("a token that is none", body(user.Localpart(), "nonsense")),
			refuse("an empty token", body(user.Localpart(), "")),
			refuse("a user's token", body("alice", alice)),
			refuse("another guest's token", body(user.Localpart(), other.At("access_token"))),
			refuse("a guest by another name", body("bob", token)),
			refuse("no name", slicetest.O{"password": password, "guest_access_token": token, "auth": dummy("")}),
		})
		require.Equal(t, "true", h.ok("GET", pathWhoami, token, nil).At("is_guest"))

		ask := body(user.Localpart(), token)
		delete(ask, "auth")
		challenge := h.do("POST", pathRegister, "", ask)
		require.Equal(t, 401, challenge.Status, "it goes through the ordinary flow")
		ask["auth"] = dummy(challenge.At("session"))
		a := h.ok("POST", pathRegister, "", ask)
		require.Equal(t, string(user), a.At("user_id"))
		again := h.ok("POST", pathRegister, "", ask)
		require.Equal(t, a.At("device_id"), again.At("device_id"), "a repetition has the same answer")
		for _, with := range []string{token, again.At("access_token"), h.login(user.Localpart(), "NEW")} {
			me := h.ok("GET", pathWhoami, with, nil)
			require.Equal(t, "false", me.At("is_guest"))
			require.Equal(t, string(user), me.At("user_id"))
		}
		require.Len(t, h.devices(token), 3)
		require.Equal(t, 403, h.do("POST", pathRegister, "", body(user.Localpart(), token)).Status, "nobody is made a user twice")

		gone := id.UserID(other.At("user_id"))
		h.write(func(tx *storage.Writer) error { return tx.DeactivateUser(t.Context(), gone, 1, false) })
		late := h.do("POST", pathRegister, "", body(gone.Localpart(), other.At("access_token")))
		require.Equal(t, 403, late.Status, late)
	})
}
