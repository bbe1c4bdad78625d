// SPDX-License-Identifier: Apache-2.0

package openid_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/fedapi"
	"touchstone.example/server/openid"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

func requestPath(name string) string {
	return slicetest.Path("v3/user/{}/openid/request_token", slicetest.User(name))
}

func userinfo(token string) string {
	return "/_matrix/federation/v1/openid/userinfo?" + slicetest.Query("access_token", token)[1:]
}

func each(t *testing.T, fn func(t *testing.T, s *slicetest.Fixture, router *api.Router)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := slicetest.New(t, db)
		router := s.Router(t, api.Config{Auth: slicetest.Tokens()})
		slice := openid.New(openid.Deps{DB: db, Env: s.Env, Name: slicetest.Name})
		clientapi.MountOpenID(router, slice)
		fedapi.MountOpenID(router, slice)
		require.NoError(t, db.Write(t.Context(), func(tx *storage.Writer) error {
			if err := tx.InsertUser(t.Context(), &storage.User{ID: slicetest.User("gone"), Kind: "user", DeactivatedAt: 1}); err != nil {
				return err
			}
			return tx.InsertUser(t.Context(), &storage.User{ID: slicetest.User("alice"), Kind: "user"})
		}))
		fn(t, s, router)
	})
}

// TestToken: a user gets a token, and whoever has it learns who the user is
// until it expires.
func TestToken(t *testing.T) {
	each(t, func(t *testing.T, s *slicetest.Fixture, router *api.Router) {
		a := slicetest.OK(t, router, http.MethodPost, requestPath("alice"), "alice", slicetest.O{})
		require.Equal(t, "Bearer", a.At("token_type"))
		require.Equal(t, string(slicetest.Name), a.At("matrix_server_name"))
		require.Equal(t, "3600", a.At("expires_in"))
		token := a.At("access_token")
		another := slicetest.OK(t, router, http.MethodPost, requestPath("alice"), "alice", slicetest.O{}).At("access_token")
		require.NotEqual(t, token, another)
		s.Clock.Advance(time.Hour - time.Millisecond)
		for range 2 {
			require.Equal(t, `{"sub":"@alice:hs1"}`, slicetest.OK(t, router, http.MethodGet, userinfo(token), "", nil).Body)
		}
		s.Clock.Advance(time.Millisecond)
		require.Equal(t, 401, slicetest.Do(t, router, http.MethodGet, userinfo(token), "", nil).Status)
		fresh := slicetest.OK(t, router, http.MethodPost, requestPath("alice"), "alice", slicetest.O{}).At("access_token")
		require.Equal(t, `{"sub":"@alice:hs1"}`, slicetest.OK(t, router, http.MethodGet, userinfo(fresh), "", nil).Body)
		require.Equal(t, 401, slicetest.Do(t, router, http.MethodGet, userinfo(token), "", nil).Status, "it is deleted by now")
	})
}

func TestRefused(t *testing.T) {
	each(t, func(t *testing.T, _ *slicetest.Fixture, router *api.Router) {
		gone := slicetest.OK(t, router, http.MethodPost, requestPath("gone"), "gone", slicetest.O{}).At("access_token")
		slicetest.Table(t, router, []slicetest.Row{
			{Name: "another's token", Method: "POST", Path: requestPath("bob"), Token: "alice", Body: slicetest.O{}, Status: 403, ErrCode: "M_FORBIDDEN"},
			{Name: "no access token", Method: "POST", Path: requestPath("alice"), Body: slicetest.O{}, Status: 401, ErrCode: "M_MISSING_TOKEN"},
			{Name: "no body", Method: "POST", Path: requestPath("alice"), Token: "alice", Status: 400, ErrCode: "M_NOT_JSON"},
			{Name: "a list for a body", Method: "POST", Path: requestPath("alice"), Token: "alice", Body: slicetest.L{}, Status: 400, ErrCode: "M_BAD_JSON"},
			{Name: "an unknown token", Method: "GET", Path: userinfo("unknown"), Status: 401, ErrCode: "M_UNKNOWN_TOKEN"},
			{Name: "an access token", Method: "GET", Path: userinfo("alice"), Status: 401, ErrCode: "M_UNKNOWN_TOKEN"},
			{Name: "no token", Method: "GET", Path: "/_matrix/federation/v1/openid/userinfo", Status: 400, ErrCode: "M_MISSING_PARAM"},
			{Name: "the token of an account that is no more", Method: "GET", Path: userinfo(gone), Status: 401, ErrCode: "M_UNKNOWN_TOKEN"},
		})
	})
}
