// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
)

func TestRoutes(t *testing.T) {
	table := NewRoutes([]*api.Operation{
		{ID: "state", Method: "GET", Path: "/rooms/{roomId}/state"},
		{ID: "setState", Method: "PUT", Path: "/rooms/{roomId}/state/{eventType}/{stateKey}"},
		{ID: "byType", Method: "GET", Path: "/query/{queryType}"},
		{ID: "directory", Method: "GET", Path: "/query/directory"},
		{ID: "inviteUser", Method: "POST", Path: "/invite", When: "body:user_id"},
		{ID: "invite3PID", Method: "POST", Path: "/invite", When: "body:medium"},
		{ID: "events", Method: "GET", Path: "/events"},
		{ID: "peek", Method: "GET", Path: "/events", When: "query:room_id"},
	})
	for _, c := range []struct{ method, path, query, body, want string }{
		{"GET", "/rooms/%21a%2Fb:hs/state", "", "", "state"},
		{"PUT", "/rooms/!a/state/m.room.name/", "", "{}", "setState"},
		{"GET", "/query/directory", "", "", "directory"},
		{"GET", "/query/x", "", "", "byType"},
		{"POST", "/invite", "", `{"user_id":"@a:b"}`, "inviteUser"},
		{"POST", "/invite", "", `{"medium":"email"}`, "invite3PID"},
		{"GET", "/events", "", "", "events"},
		{"GET", "/events", "room_id=!a", "", "peek"},
		{"DELETE", "/events", "", "", ""},
		{"GET", "/rooms/!a/b/state", "", "", ""},
	} {
		q, err := url.ParseQuery(c.query)
		require.NoError(t, err)
		got := ""
		if op := table.Find(c.method, c.path, q, []byte(c.body)); op != nil {
			got = op.ID
		}
		require.Equal(t, c.want, got, "%s %s", c.method, c.path)
	}
	require.Equal(t, map[string]bool{"GET": true, "OPTIONS": true}, table.Methods("/rooms/{roomId}/state"))
}
