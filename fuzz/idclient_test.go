// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"path"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/identityapi"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/idclient"
)

// fakeNetwork answers requests with a fixed body for each path suffix.
type fakeNetwork struct {
	status int
	bodies map[string][]byte
}

func (n fakeNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	body := n.bodies[path.Base(r.URL.Path)]
	return &http.Response{StatusCode: n.status, Header: http.Header{"Retry-After": {string(body)}}, Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// FuzzIdentityServer lets an identity server answer with any bytes. Accepted
// answers must have the required form. Other answers must become an error that
// clients may see, but never one that logs them out.
func FuzzIdentityServer(f *testing.F) {
	f.Add("is", "a@example.org", uint16(200), []byte(`{"algorithms":["sha256"],"lookup_pepper":"p"}`), []byte(`{"mappings":{}}`),
		[]byte(`{"token":"t","display_name":"d","public_keys":[{"public_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","key_validity_url":"https://is/"}]}`))
	f.Add("[::1]:1", "b", uint16(200), []byte(`{"algorithms":["none"],"lookup_pepper":"p"}`), []byte(`{"mappings":{"b email":"@b:c"}}`), []byte(`{"token":""}`))
	f.Add("a:0", "b", uint16(401), []byte(`{"errcode":"M_UNKNOWN_TOKEN","error":"x"}`), []byte(``), []byte(`{"errcode":{}}`))
	f.Add("a", "b", uint16(429), []byte(`9999999`), []byte(`{"valid":true}`), []byte(`[`))
	f.Add("a", "https://x/%zz", uint16(302), []byte(`{}`), []byte(`{}`), []byte(`{}`))
	token := regexp.MustCompile(`^[0-9a-zA-Z.=_-]{1,255}$`)
	f.Fuzz(func(t *testing.T, name, address string, status uint16, details, lookup, store []byte) {
		client := idclient.New(idclient.Options{Transport: fakeNetwork{200 + int(status)%400, map[string][]byte{
			"hash_details": details, "lookup": lookup, "store-invite": store,
		}}})
		refused := func(err error) {
			var e *api.Error
			require.True(t, errors.As(err, &e), err)
			require.Contains(t, []int{400, 403, 429}, e.Status)
			require.NotContains(t, []string{"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", ""}, e.ErrCode)
		}
		a, err := idclient.Read(&clientapi.Invite3PID{IDServer: name, IDAccessToken: "t", Medium: "email", Address: address})
		if err != nil {
			refused(err)
			return
		}
		user, err := client.Lookup(t.Context(), a)
		if err != nil {
			refused(err)
		} else if user != "" {
			_, err := id.ParseUserID(string(user))
			require.NoError(t, err)
		}
		kept, err := client.StoreInvite(t.Context(), a, identityapi.StoreInviteV2Body{RoomID: "!r", Sender: "@a:b"})
		if err != nil {
			refused(err)
		} else {
			require.Regexp(t, token, kept.Token)
			require.NotEmpty(t, kept.PublicKeys)
		}
		if err := client.ConfirmKey(t.Context(), eventauth.InviteKey{Text: name, ValidityURL: address}); err != nil {
			refused(err)
		}
	})
}
