// SPDX-License-Identifier: Apache-2.0

package idclient_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/identityapi"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/idclient"
	"touchstone.example/tests/fakeidentity"
)

func read(name string) (id.ServerName, error) { return id.ParseServerName(name) }

func logTo(b *strings.Builder) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// trip answers requests in place of the network.
type trip func(r *http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// TestLookupHashes are the examples of the specification.
//
// Spec: identity "Association lookup", "sha256".
func TestLookupHashes(t *testing.T) {
	for _, c := range []struct{ medium, address, hash string }{
		{"email", "alice@example.com", "4kenr7N9drpCJ4AfalmlGQVsOn3o2RHjkADUpXJWZUc"},
		{"email", "bob@example.com", "LJwSazmv46n0hlMlsb_iYxI0_HXEqy_yj6Jm636cdT8"},
		{"msisdn", "18005552067", "nlo35_T5fzSGZzJApqu8lgIudJvmOQtDaHtr-I4rU7I"},
	} {
		client := idclient.New(idclient.Options{Transport: trip(func(r *http.Request) (*http.Response, error) {
			require.Equal(t, "Bearer token", r.Header.Get("Authorization"))
			require.Equal(t, "https", r.URL.Scheme)
			require.Equal(t, "example.org:99", r.URL.Host)
			if r.URL.Path == "/_matrix/identity/v2/hash_details" {
				return answer(200, `{"algorithms":["none","sha256"],"lookup_pepper":"matrixrocks"}`), nil
			}
			require.Equal(t, "/_matrix/identity/v2/lookup", r.URL.Path)
			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			require.Equal(t, `{"addresses":["`+c.hash+`"],"algorithm":"sha256","pepper":"matrixrocks"}`, string(body))
			return answer(200, `{"mappings":{"`+c.hash+`":"@alice:example.org","other":"@other:example.org"}}`), nil
		})})
		user, err := client.Lookup(t.Context(), idclient.Address{Server: "example.org:99", Token: "token", Medium: c.medium, Address: c.address})
		require.NoError(t, err)
		require.EqualValues(t, "@alice:example.org", user)
	}
}

// TestAddressesAreFolded: one address has one form.
//
// Spec: appendices "3PID Types", "E-Mail".
func TestAddressesAreFolded(t *testing.T) {
	for _, c := range []struct{ medium, given, want string }{
		{"email", "Strauß@Example.com", "strauss@example.com"},
		{"email", "ΣΊΣΥΦΟΣ@example.com", "σίσυφοσ@example.com"},
		{"msisdn", "18005552067", "18005552067"},
		{"org.example.Name", "Alice", "Alice"},
	} {
		a, err := idclient.Read(&clientapi.Invite3PID{IDServer: "i", IDAccessToken: "t", Medium: c.medium, Address: c.given})
		require.NoError(t, err)
		require.Equal(t, c.want, a.Address)
	}
}

// TestPrivateAddressesAreOutOfReach: without leave, a name of this machine is a
// server that cannot be asked, and why is only in the log.
func TestPrivateAddressesAreOutOfReach(t *testing.T) {
	fake := fakeidentity.New(t)
	var log strings.Builder
	client := idclient.New(idclient.Options{RootCAs: fake.Roots(), Log: logTo(&log)})
	a := idclient.Address{Server: "127.0.0.1:8008", Token: fakeidentity.Token, Medium: "email", Address: "a@example.org"}
	var heard []string
	_, port, _ := strings.Cut(fake.Name(), ":")
	for _, host := range []string{"127.0.0.1:" + port, "localhost:" + port, "[::ffff:127.0.0.1]:" + port, "127.0.0.1:1"} {
		var err error
		a.Server, err = read(host)
		require.NoError(t, err)
		_, err = client.Lookup(t.Context(), a)
		var e *api.Error
		require.ErrorAs(t, err, &e, host)
		require.Equal(t, 400, e.Status)
		require.Equal(t, "M_UNKNOWN", e.ErrCode)
		heard = append(heard, strings.ReplaceAll(e.Msg, host, "HOST"))
		require.Contains(t, log.String(), "federation.allow_private is off", host)
		log.Reset()
	}
	for _, msg := range heard {
		require.Equal(t, heard[0], msg, "all refusals are alike")
	}
	err := client.ConfirmKey(t.Context(), eventauth.InviteKey{ValidityURL: fake.URL + "/_matrix/identity/v2/pubkey/isvalid"})
	require.ErrorContains(t, err, "M_FORBIDDEN")
	require.Empty(t, fake.Calls())

	open := idclient.New(idclient.Options{RootCAs: fake.Roots(), AllowPrivate: true})
	a.Server, err = read(fake.Name())
	require.NoError(t, err)
	_, err = open.Lookup(t.Context(), a)
	require.NoError(t, err)
	untrusting := idclient.New(idclient.Options{AllowPrivate: true})
	_, err = untrusting.Lookup(t.Context(), a)
	require.ErrorContains(t, err, "certificate")
}

// TestPatience: a server that does not answer is one that cannot be asked; a
// client that has gone is told nothing.
func TestPatience(t *testing.T) {
	silent := trip(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	a := idclient.Address{Server: "example.org", Token: "t", Medium: "email", Address: "a@example.org"}
	client := idclient.New(idclient.Options{Transport: silent, Timeout: time.Millisecond})
	var e *api.Error
	_, err := client.Lookup(t.Context(), a)
	require.ErrorAs(t, err, &e)
	require.Equal(t, "M_UNKNOWN", e.ErrCode)
	_, err = client.StoreInvite(t.Context(), a, identityapi.StoreInviteV2Body{RoomID: "!r", Sender: "@a:b"})
	require.ErrorAs(t, err, &e)
	require.ErrorContains(t, client.ConfirmKey(t.Context(), eventauth.InviteKey{ValidityURL: "https://example.org/"}), "cannot be confirmed")

	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, ask := range []func() error{
		func() error { _, err := client.Lookup(gone, a); return err },
		func() error { _, err := client.StoreInvite(gone, a, identityapi.StoreInviteV2Body{}); return err },
		func() error { return client.ConfirmKey(gone, eventauth.InviteKey{ValidityURL: "https://example.org/"}) },
	} {
		err := ask()
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, errors.As(err, &e))
	}
}

// TestNullMeansNothing: what an identity server has not, some say by null.
func TestNullMeansNothing(t *testing.T) {
	answers := map[string]string{}
	client := idclient.New(idclient.Options{Transport: trip(func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		address := "a@example.org email"
		text := answers[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]
		require.NotEmpty(t, text, "%s %s", r.URL.Path, body)
		return answer(200, strings.ReplaceAll(text, "ADDRESS", address)), nil
	})})
	a := idclient.Address{Server: "example.org", Token: "t", Medium: "email", Address: "a@example.org"}
	answers["hash_details"] = `{"algorithms":["none",null],"lookup_pepper":null,"more":null}`
	for name, text := range map[string]string{
		"nobody has the address": `{"mappings":{"ADDRESS":null}}`,
		"there are no mappings":  `{"mappings":null,"hashes":[null,{"a":null}]}`,
		"nobody, in one word":    `{"mappings":{"ADDRESS":""}}`,
	} {
		answers["lookup"] = text
		user, err := client.Lookup(t.Context(), a)
		require.NoError(t, err, name)
		require.Empty(t, user, name)
	}
	answers["lookup"] = `{"mappings":{"other":null,"ADDRESS":"@a:example.org"},"expires":null}`
	user, err := client.Lookup(t.Context(), a)
	require.NoError(t, err)
	require.EqualValues(t, "@a:example.org", user)

	const key = "4XnJ9Xg0Y7Xy8pOeUJ8b1cAoMsJ8n4nGx0l8Q3t9p0E"
	answers["store-invite"] = `{"token":"x","display_name":null,"public_keys":[{"public_key":"` + key + `","key_validity_url":null},null],"public_key":null}`
	kept, err := client.StoreInvite(t.Context(), a, identityapi.StoreInviteV2Body{RoomID: "!r", Sender: "@a:b"})
	require.NoError(t, err, "the mail is sent")
	require.Equal(t, "a...", kept.DisplayName)
	require.Len(t, kept.PublicKeys, 1)
	for _, text := range []string{
		`{"token":null,"display_name":"a","public_keys":[{"public_key":"` + key + `","key_validity_url":"https://x"}]}`,
		`{"token":"x","display_name":"a","public_keys":null}`,
		`{"token":"x","display_name":"a","public_keys":[{"public_key":null,"key_validity_url":"https://x"}]}`,
		`null`, `{"token":`,
	} {
		answers["store-invite"] = text
		_, err := client.StoreInvite(t.Context(), a, identityapi.StoreInviteV2Body{RoomID: "!r", Sender: "@a:b"})
		require.Error(t, err, text)
	}
	answers["isvalid"] = `{"valid":null}`
	require.ErrorContains(t, client.ConfirmKey(t.Context(), eventauth.InviteKey{ValidityURL: "https://example.org/isvalid", Text: key}), "revoked")
}
