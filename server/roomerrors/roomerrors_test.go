// SPDX-License-Identifier: Apache-2.0

package roomerrors_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/server/roomerrors"
	"touchstone.example/server/rooms"
)

func TestErrorsOfTheEngineToClients(t *testing.T) {
	for _, row := range []struct {
		name    string
		err     error
		status  int
		errcode string
	}{
		{"a room that this server does not know", rooms.ErrUnknownRoom, 403, "M_FORBIDDEN"},
		{"what the authorization rules reject", &rooms.Refusal{Rule: "5.3.2"}, 403, "M_FORBIDDEN"},
		{"a guest", &rooms.Refusal{Rule: rooms.RuleGuestAccess}, 403, "M_GUEST_ACCESS_FORBIDDEN"},
		{"who blocks invitations", &rooms.Refusal{Rule: rooms.RuleInvitePermission}, 403, "M_INVITE_BLOCKED"},
		{"content that is too large", &rooms.InvalidContent{TooLarge: true}, 413, "M_TOO_LARGE"},
		{"content that is no canonical JSON", &rooms.InvalidContent{}, 400, "M_BAD_JSON"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var answer *api.Error
			require.ErrorAs(t, roomerrors.ToClient(fmt.Errorf("send: %w", row.err), "!room:hs1"), &answer)
			require.Equal(t, row.status, answer.Status)
			require.Equal(t, row.errcode, answer.ErrCode)
		})
	}
	other := errors.New("the disk is full")
	require.Equal(t, other, roomerrors.ToClient(other, "!room:hs1"))
	require.NoError(t, roomerrors.ToClient(nil, "!room:hs1"))
}
