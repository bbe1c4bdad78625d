// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/tests/fakeidentity"
	"touchstone.example/tests/harness"
)

// eachWithIdentity runs a test on every engine, with a fake identity server.
func eachWithIdentity(t *testing.T, test func(t *testing.T, s *harness.Server, is *fakeidentity.Server)) {
	harness.EachEngine(t, func(t *testing.T, e harness.Engine) {
		is := fakeidentity.New(t)
		test(t, harness.Start(t, harness.Options{Engine: e, Settings: []string{"TOUCHSTONE_FEDERATION_TRUSTED_CA_FILE=" + is.CAFile(t)}}), is)
	})
}

// TestThirdPartyInvites: alice invites one address that has an account and one that
// has none; the owner of the second registers, proves to own the address, joins and
// sends a message.
func TestThirdPartyInvites(t *testing.T) {
	eachWithIdentity(t, func(t *testing.T, s *harness.Server, is *fakeidentity.Server) {
		alice, bob := s.User(t, "alice"), s.User(t, "bob")
		is.Bind("email", "bob@example.org", id.UserID(bob.ID))
		room := alice.CreateRoom(t, harness.O{"name": "Tea", "invite_3pid": []any{is.Ask("email", "bob@example.org")}})
		invited := bob.Get(t, harness.Path("v3/sync")).At("rooms", "invite", room)
		require.True(t, invited.Exists())
		bob.Join(t, room)

		since := bob.Get(t, harness.Path("v3/sync")).At("next_batch").String()
		alice.Post(t, harness.Path("v3/rooms/{}/invite", room), is.Ask("email", "Carol@example.org"))
		require.Equal(t, "Tea", is.Invites()[0].RoomName.Value)
		event := alice.State(t, room, "m.room.third_party_invite", "token-1")
		require.Equal(t, "c...", event.At("display_name").String())
		timeline := bob.Get(t, harness.Path("v3/sync")+harness.Query("since", since)).At("rooms", "join", room, "timeline", "events")
		require.Equal(t, "m.room.third_party_invite", timeline.At(-1, "type").String())

		carol := s.User(t, "carol")
		carol.Fails(t, http.StatusForbidden, "M_FORBIDDEN", http.MethodPost, harness.Path("v3/join/{}", room), harness.O{})
		signed := is.Sign(id.UserID(alice.ID), id.UserID(carol.ID), "token-1", false)
		bob.Fails(t, http.StatusForbidden, "M_FORBIDDEN", http.MethodPost, harness.Path("v3/join/{}", alice.CreateRoom(t, nil)), harness.O{"third_party_signed": signed})
		is.Revoke(true)
		carol.Fails(t, http.StatusForbidden, "M_FORBIDDEN", http.MethodPost, harness.Path("v3/join/{}", room), harness.O{"third_party_signed": signed})
		is.Revoke(false)
		carol.Post(t, harness.Path("v3/join/{}", room), harness.O{"third_party_signed": signed})
		carol.Send(t, room, "Thank you for the letter")
		all := alice.AllMessages(t, room, "f", 50)
		invite, join := all[len(all)-3], all[len(all)-2]
		require.Equal(t, alice.ID, invite.At("sender").String())
		require.Equal(t, "invite", invite.At("content", "membership").String())
		require.Equal(t, "token-1", invite.At("content", "third_party_invite", "signed", "token").String())
		require.Equal(t, carol.ID, join.At("sender").String())
		require.Equal(t, "join", join.At("content", "membership").String())
		require.False(t, join.At("content", "third_party_invite").Exists())
	})
}

// TestThirdPartyInvitesRefused: the error says what is wrong, and the identity
// server gets no request.
func TestThirdPartyInvitesRefused(t *testing.T) {
	eachWithIdentity(t, func(t *testing.T, s *harness.Server, is *fakeidentity.Server) {
		w, bob := newFixture(t, s), s.User(t, "bob")
		ask := func(change harness.O) harness.O {
			out := harness.O(is.Ask("email", "a@example.org"))
			for k, v := range change {
				if out[k] = v; v == nil {
					delete(out, k)
				}
			}
			return out
		}
		invite := harness.Path("v3/rooms/{}/invite", w.room)
		for name, c := range map[string]struct {
			who     *harness.User
			path    string
			body    any
			status  int
			errcode string
		}{
			"no token for the identity server":    {w.alice, invite, ask(harness.O{"id_access_token": nil}), 400, "M_BAD_JSON"},
			"an empty token for it":               {w.alice, invite, ask(harness.O{"id_access_token": ""}), 400, "M_MISSING_PARAM"},
			"no identity server":                  {w.alice, invite, ask(harness.O{"id_server": nil}), 400, "M_BAD_JSON"},
			"a URL for it":                        {w.alice, invite, ask(harness.O{"id_server": is.URL}), 400, "M_INVALID_PARAM"},
			"no address":                          {w.alice, invite, ask(harness.O{"address": nil}), 400, "M_BAD_JSON"},
			"neither a user nor a medium":         {w.alice, invite, ask(harness.O{"medium": nil}), 400, "M_BAD_JSON"},
			"a list":                              {w.alice, invite, `[]`, 400, "M_BAD_JSON"},
			"a stranger":                          {bob, invite, ask(nil), 403, "M_FORBIDDEN"},
			"a room of nobody's":                  {bob, harness.Path("v3/rooms/{}/invite", "!none:hs1"), ask(nil), 403, "M_FORBIDDEN"},
			"createRoom: no identity server":      {bob, harness.Path("v3/createRoom"), harness.O{"invite_3pid": []any{ask(harness.O{"id_server": nil})}}, 400, "M_BAD_JSON"},
			"createRoom: a URL for it":            {bob, harness.Path("v3/createRoom"), harness.O{"invite_3pid": []any{ask(harness.O{"id_server": is.URL})}}, 400, "M_INVALID_PARAM"},
			"createRoom: an object for addresses": {bob, harness.Path("v3/createRoom"), harness.O{"invite_3pid": ask(nil)}, 400, "M_BAD_JSON"},
			"join: a proof of nothing":            {bob, harness.Path("v3/join/{}", w.room), harness.O{"third_party_signed": harness.O{}}, 400, "M_BAD_JSON"},
			"join: a proof without an invitation": {bob, harness.Path("v3/rooms/{}/join", w.room), harness.O{"third_party_signed": harness.O{
				"sender": w.alice.ID, "mxid": bob.ID, "token": "t", "signatures": harness.O{}}}, 403, "M_FORBIDDEN"},
		} {
			a := c.who.Do(t, http.MethodPost, c.path, c.body)
			require.Equal(t, c.status, a.Status, "%s: %s", name, a)
			require.Equal(t, c.errcode, a.JSON().At("errcode").String(), "%s: %s", name, a)
		}
		require.Empty(t, is.Calls())
	})
}

// TestIdentityServersOfThisNetwork: private addresses are reached only with the
// operator's setting, and errors do not reveal whether a server is there.
func TestIdentityServersOfThisNetwork(t *testing.T) {
	is := fakeidentity.New(t)
	s := harness.Start(t, harness.Options{Settings: []string{
		"TOUCHSTONE_FEDERATION_ALLOW_PRIVATE=false", "TOUCHSTONE_FEDERATION_TRUSTED_CA_FILE=" + is.CAFile(t)}})
	w := newFixture(t, s)
	var heard []string
	for _, name := range []string{is.Name(), "127.0.0.1:1"} {
		body := is.Ask("email", "a@example.org")
		body["id_server"] = name
		a := w.alice.Fails(t, http.StatusBadRequest, "M_UNKNOWN", http.MethodPost, harness.Path("v3/rooms/{}/invite", w.room), body)
		heard = append(heard, a.At("error").String()[len("The identity server "+name):])
	}
	require.Equal(t, heard[0], heard[1])
	require.Empty(t, is.Calls())
}
