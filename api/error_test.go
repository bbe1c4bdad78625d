// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	oaerrors "github.com/go-openapi/errors"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/raw"
)

func TestConstructorsAreNamedAfterTheirCodes(t *testing.T) {
	for code, c := range map[string]struct {
		err    *Error
		status int
	}{
		"M_FORBIDDEN":                {Forbidden("%d", 1), 403},
		"M_NOT_FOUND":                {NotFound("%d", 1), 404},
		"M_NOT_JSON":                 {NotJSON("%d", 1), 400},
		"M_BAD_JSON":                 {BadJSON("%d", 1), 400},
		"M_MISSING_PARAM":            {MissingParam("%d", 1), 400},
		"M_INVALID_PARAM":            {InvalidParam("%d", 1), 400},
		"M_UNKNOWN":                  {Unknown("%d", 1), 400},
		"M_UNRECOGNIZED":             {Unrecognized("%d", 1), 404},
		"M_TOO_LARGE":                {TooLarge("%d", 1), 413},
		"M_USER_IN_USE":              {UserInUse("%d", 1), 400},
		"M_INVALID_USERNAME":         {InvalidUsername("%d", 1), 400},
		"M_EXCLUSIVE":                {Exclusive("%d", 1), 400},
		"M_UNSUPPORTED_ROOM_VERSION": {UnsupportedRoomVersion("%d", 1), 400},
		"M_INVALID_ROOM_STATE":       {InvalidRoomState("%d", 1), 400},
		"M_ROOM_IN_USE":              {RoomInUse("%d", 1), 400},
		"M_UNAUTHORIZED":             {Unauthorized("%d", 1), 401},
		"M_MISSING_TOKEN":            {MissingToken(), 401},
		"M_UNKNOWN_TOKEN":            {UnknownToken(true), 401},
		"M_LIMIT_EXCEEDED":           {LimitExceeded(time.Second), 429},
	} {
		require.Equal(t, code, c.err.ErrCode)
		require.Equal(t, c.status, c.err.Status, code)
		require.NotEmpty(t, c.err.Msg)
		var oa oaerrors.Error
		require.True(t, errors.As(fmt.Errorf("wrapped: %w", c.err), &oa), "it is go-openapi's error too")
		require.Equal(t, int32(c.status), oa.Code())
	}
	require.Equal(t, true, UnknownToken(true).Extra["soft_logout"])
	cause := errors.New("disk")
	e := &Error{Status: 500, ErrCode: "M_UNKNOWN", Msg: "No", Err: cause}
	require.ErrorIs(t, e, cause)
	require.EqualError(t, e, "M_UNKNOWN: No: disk")
	require.EqualError(t, BadJSON("No"), "M_BAD_JSON: No")
}

func TestOptionalMembers(t *testing.T) {
	type members struct {
		A Opt[string] `json:"a,omitzero"`
		B Opt[int64]  `json:"b,omitzero"`
	}
	var m members
	require.NoError(t, json.Unmarshal([]byte(`{"a":""}`), &m))
	require.Equal(t, members{A: Some("")}, m, "present and empty is present")
	out, err := json.Marshal(m)
	require.NoError(t, err)
	require.Equal(t, `{"a":""}`, string(out), "what is absent is left out")
	require.Equal(t, "", m.A.Or("default"))
	require.Equal(t, int64(7), m.B.Or(7))
	require.ErrorIs(t, json.Unmarshal([]byte(`{"a":null}`), &m), raw.ErrNull)
	require.Error(t, json.Unmarshal([]byte(`{"b":"1"}`), &m))
}
