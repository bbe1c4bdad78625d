// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/accounts"
	"touchstone.example/tests/slicetest"
)

func TestDevices(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		token := h.ok("POST", pathRegister, "", slicetest.O{
			"username": "alice", "password": password, "device_id": "LAPTOP", "auth": dummy(""),
		}).At("access_token")
		h.register("bob")
		h.login("bob", "BOBS")
		h.login("alice", "a/b %")
		require.Equal(t, []string{"LAPTOP", "a/b %"}, h.devices(token))
		a := h.ok("GET", slicetest.Path("v3/devices/{}", "a/b %"), token, nil)
		require.Equal(t, "a/b %", a.At("device_id"))
		require.Empty(t, a.At("display_name"), "absent if no name has been set")

		one := func(id string) string { return slicetest.Path("v3/devices/{}", id) }
		slicetest.Table(t, h.router, []slicetest.Row{
			{Name: "a device of nobody's", Method: "GET", Path: one("NONE"), Token: token, Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "another user's device", Method: "GET", Path: one("BOBS"), Token: token, Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "a name for no device", Method: "PUT", Path: one("NONE"), Token: token, Body: slicetest.O{"display_name": "x"}, Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "no change of no device", Method: "PUT", Path: one("NONE"), Token: token, Body: slicetest.O{}, Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "another user's device, to be named", Method: "PUT", Path: one("BOBS"), Token: token, Body: slicetest.O{"display_name": "x"}, Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "a number for a name", Method: "PUT", Path: one("LAPTOP"), Token: token, Body: `{"display_name":7}`, Status: 400, ErrCode: "M_BAD_JSON"},
			{Name: "null for a name", Method: "PUT", Path: one("LAPTOP"), Token: token, Body: `{"display_name":null}`, Status: 400, ErrCode: "M_BAD_JSON"},
			{Name: "no body", Method: "PUT", Path: one("LAPTOP"), Token: token, Status: 400, ErrCode: "M_NOT_JSON"},
			{Name: "a name past its bound", Method: "PUT", Path: one("LAPTOP"), Token: token, Body: slicetest.O{"display_name": strings.Repeat("n", accounts.MaxName+1)}, Status: 413, ErrCode: "M_TOO_LARGE"},
			{Name: "no token", Method: "GET", Path: slicetest.Path("v3/devices"), Status: 401, ErrCode: "M_MISSING_TOKEN"},
			{Name: "another token", Method: "GET", Path: slicetest.Path("v3/devices"), Token: "guess", Status: 401, ErrCode: "M_UNKNOWN_TOKEN"},
			{Name: "several to delete, none named", Method: "POST", Path: slicetest.Path("v3/delete_devices"), Token: token, Body: slicetest.O{}, Status: 400, ErrCode: "M_BAD_JSON"},
		})
		require.Equal(t, `{}`, h.ok("PUT", one("LAPTOP"), token, slicetest.O{"display_name": "Café\x00"}).Body)
		require.Equal(t, `{}`, h.ok("PUT", one("LAPTOP"), token, slicetest.O{}).Body)
		require.Equal(t, "Café\x00", h.ok("GET", one("LAPTOP"), token, nil).At("display_name"), "not given: unchanged")
		h.ok("DELETE", one("NONE"), token, slicetest.O{"auth": byPassword("alice", password, "")})
		require.Len(t, h.devices(token), 2)
	})
}

// TestDevicesThatGo take their tokens and their transaction ids with them, and
// nobody else's.
func TestDevicesThatGo(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		first := h.register("alice")
		bob := h.register("bob")
		tokens := map[string]string{}
		for _, d := range []string{"A", "B", "C", "D"} {
			tokens[d] = h.login("alice", d)
			h.ok("GET", pathWhoami, tokens[d], nil) // remembered
		}
		gone := func(names ...string) {
			t.Helper()
			for _, d := range names {
				a := h.do("GET", pathWhoami, tokens[d], nil)
				require.Equal(t, 401, a.Status)
				require.Equal(t, "M_UNKNOWN_TOKEN", a.At("errcode"))
				require.Equal(t, "false", a.At("soft_logout"))
			}
		}
		h.ok("DELETE", slicetest.Path("v3/devices/A"), first, slicetest.O{"auth": byPassword("alice", password, "")})
		gone("A")
		h.ok("POST", slicetest.Path("v3/delete_devices"), first, slicetest.O{"devices": slicetest.L{"B", "NONE"}, "auth": byPassword("alice", password, "")})
		gone("A", "B")
		require.Equal(t, `{}`, h.ok("POST", slicetest.Path("v3/logout"), tokens["C"], nil).Body)
		gone("A", "B", "C")
		require.Equal(t, 200, h.do("GET", pathWhoami, tokens["D"], nil).Status)
		require.Len(t, h.devices(first), 2)
		require.Equal(t, `{}`, h.ok("POST", slicetest.Path("v3/logout/all"), first, slicetest.O{}).Body)
		gone("A", "B", "C", "D")
		require.Equal(t, 401, h.do("GET", pathWhoami, first, nil).Status)
		require.Equal(t, 200, h.do("GET", pathWhoami, bob, nil).Status)
		require.Equal(t, []string{"E"}, h.devices(h.login("alice", "E")))
		slicetest.Table(t, h.router, []slicetest.Row{
			{Name: "out with no token", Method: "POST", Path: slicetest.Path("v3/logout"), Status: 401, ErrCode: "M_MISSING_TOKEN"},
			{Name: "out with another token", Method: "POST", Path: slicetest.Path("v3/logout"), Token: "guess", Status: 401, ErrCode: "M_UNKNOWN_TOKEN"},
			{Name: "all out with no token", Method: "POST", Path: slicetest.Path("v3/logout/all"), Status: 401, ErrCode: "M_MISSING_TOKEN"},
		})
	})
}
