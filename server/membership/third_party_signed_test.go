// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/idclient"
	"touchstone.example/server/rooms"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/fakeidentity"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

// letter invites an address of nobody's, and returns the token.
func (h *fixture) letter(token, room string) string {
	h.T.Helper()
	h.Act(token, room, "invite", h.Identity.Ask("email", "bob@example.com"))
	history := h.History(token, room)
	last := history[len(history)-1]
	require.Equal(h.T, "m.room.third_party_invite", last.Type)
	h.Identity.Calls()
	return *last.StateKey
}

// proof is the body of a join with an invitation of alice's.
func (h *fixture) proof(name, token string) slicetest.O {
	return slicetest.O{"third_party_signed": h.Identity.Sign(slicetest.User("alice"), slicetest.User(name), token, false)}
}

// TestThirdPartySigned: who proves to have the address of an invitation is
// invited by whoever sent it, and joins.
func TestThirdPartySigned(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		for _, version := range []string{"1", "2", "3", "5", "6", "7", "8", "10", "11", "12"} {
			room := h.Create("alice", slicetest.O{"room_version": version})
			token := h.letter("alice", room)
			writes := h.DB.Stats().Writes
			signed := h.Identity.Sign(slicetest.User("alice"), slicetest.User("bob"), token, version == "1")
			h.Act("bob", room, "join", slicetest.O{"third_party_signed": signed, "reason": "mail"})
			require.Equal(t, writes+1, h.DB.Stats().Writes, "one transaction")
			require.Equal(t, []string{"isvalid"}, h.Identity.Calls())
			history := h.History("alice", room)
			invite, join := history[len(history)-2], history[len(history)-1]
			require.EqualValues(t, "@alice:hs1", invite.Sender)
			require.Equal(t, "@bob:hs1", *invite.StateKey)
			require.Equal(t, map[string]any{
				"membership": "invite", "third_party_invite": map[string]any{"display_name": "b...", "signed": plain(t, signed)},
			}, invite.Content)
			require.EqualValues(t, "@bob:hs1", join.Sender)
			require.Equal(t, map[string]any{"membership": "join", "reason": "mail"}, join.Content)
			require.Equal(t, "invite", join.Unsigned["prev_content"].(map[string]any)["membership"])
			h.Send("bob", room, "hello")
		}
	})
}

// plain is a value as it looks after it was sent.
func plain(t *testing.T, signed map[string]any) map[string]any {
	signatures, ok := signed["signatures"].(map[string]any)
	require.True(t, ok)
	return map[string]any{
		"mxid": string(signed["mxid"].(id.UserID)), "sender": string(signed["sender"].(id.UserID)),
		"token": signed["token"], "signatures": signatures,
	}
}

// TestThirdPartySignedAgain: a proof that is not needed does no harm, one that
// was used up opens nothing.
func TestThirdPartySignedAgain(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Create("alice", slicetest.O{})
		token := h.letter("alice", room)
		proof := h.proof("bob", token)
		h.Act("alice", room, "invite", roomtest.Target("bob"))
		before := len(h.History("alice", room))
		h.OK("POST", slicetest.Path("v3/join/{}", room), "bob", proof)
		require.Len(t, h.History("alice", room), before+1, "who is invited need not be invited again")
		h.Identity.Calls()
		h.Act("bob", room, "join", proof)
		h.Act("bob", room, "join", h.proof("bob", token))
		require.Len(t, h.History("alice", room), before+1, "nor who is there")
		require.Empty(t, h.Identity.Calls())

		h.Act("alice", room, "kick", roomtest.Target("bob"))
		refuses := func(name, who string, body slicetest.O) {
			t.Helper()
			a := h.Do("POST", roomtest.At(room, "join"), who, body)
			require.Equal(t, 403, a.Status, "%s: %s", name, a)
			require.Equal(t, "M_FORBIDDEN", a.At("errcode"), "%s: %s", name, a)
		}
		refuses("after a kick", "bob", proof)
		later := h.letter("alice", room)
		h.Act("bob", room, "join", h.proof("bob", later))
		h.Act("bob", room, "leave", slicetest.O{})
		refuses("after leaving", "bob", h.proof("bob", later))
		h.Act("alice", room, "ban", roomtest.Target("bob"))
		last := h.letter("alice", room)
		refuses("banned", "bob", h.proof("bob", last))
		h.Act("alice", room, "unban", roomtest.Target("bob"))
		refuses("after a ban", "bob", h.proof("bob", last))

		// The inviter need not be there any more.
		open := h.letter("alice", room)
		h.Act("alice", room, "leave", slicetest.O{})
		h.Act("carol", room, "join", h.proof("carol", open))
	})
}

// TestThirdPartySignedRefused is what opens no room. Dan knows the invitation
// that bob has the address of.
func TestThirdPartySignedRefused(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		room := h.Create("alice", slicetest.O{"initial_state": slicetest.L{slicetest.O{"type": "m.room.guest_access", "content": slicetest.O{"guest_access": "forbidden"}}}})
		token := h.letter("alice", room)
		withdrawn := h.letter("alice", room)
		elsewhere := h.letter("alice", h.Create("alice", slicetest.O{}))
		h.Set("alice", room, "m.room.third_party_invite", withdrawn, slicetest.O{})
		h.Set("alice", room, "m.room.third_party_invite", "plain", slicetest.O{"display_name": "d", "public_key": "AAAA", "key_validity_url": "https://x/"})
		good, ok := h.proof("bob", token)["third_party_signed"].(map[string]any)
		require.True(t, ok)
		var r roomtest.Rows
		post := func(name, who string, signed any, status int, errcode string) {
			for _, path := range []string{roomtest.At(room, "join"), slicetest.Path("v3/join/{}", room)} {
				r.Add(name, "POST", path, who, slicetest.O{"third_party_signed": signed}, status, errcode)
			}
		}
		for _, name := range []string{"sender", "mxid", "token", "signatures"} {
			post("no "+name, "bob", roomtest.With(good, slicetest.O{name: nil}), 400, "M_BAD_JSON")
			post("a number for "+name, "bob", roomtest.With(good, slicetest.O{name: 7}), 400, "M_BAD_JSON")
		}
		post("a fraction signed as well", "bob", roomtest.With(good, slicetest.O{"x": 0.5}), 400, "M_BAD_JSON")
		post("another's", "dan", good, 403, "M_FORBIDDEN")
		post("another's, taken over", "dan", roomtest.With(good, slicetest.O{"mxid": "@dan:hs1"}), 403, "M_FORBIDDEN")
		post("of another sender", "bob", roomtest.With(good, slicetest.O{"sender": "@dan:hs1"}), 403, "M_FORBIDDEN")
		post("with more than was signed", "bob", roomtest.With(good, slicetest.O{"x": 1}), 403, "M_FORBIDDEN")
		post("an unknown token", "bob", roomtest.With(good, slicetest.O{"token": "other"}), 403, "M_FORBIDDEN")
		post("an empty token", "bob", roomtest.With(good, slicetest.O{"token": ""}), 403, "M_FORBIDDEN")
		post("no signatures", "bob", roomtest.With(good, slicetest.O{"signatures": slicetest.O{}}), 403, "M_FORBIDDEN")
		post("signatures that are none", "bob", roomtest.With(good, slicetest.O{"signatures": slicetest.O{"i": slicetest.O{"ed25519:0": "AAAA", "x": "y"}}}), 403, "M_FORBIDDEN")
		post("of another room", "bob", h.proof("bob", elsewhere)["third_party_signed"], 403, "M_FORBIDDEN")
		post("withdrawn", "bob", h.proof("bob", withdrawn)["third_party_signed"], 403, "M_FORBIDDEN")
		post("a key that is none", "bob", roomtest.With(good, slicetest.O{"token": "plain"}), 403, "M_FORBIDDEN")
		before := h.History("alice", room)
		slicetest.Table(t, h.Handler, r)
		require.Empty(t, h.Identity.Calls(), "nobody is asked about what proves nothing")

		guest := h.Do("POST", roomtest.At(room, "join"), "guest", h.proof("guest", token))
		require.Equal(t, "M_GUEST_ACCESS_FORBIDDEN", guest.At("errcode"), guest)
		require.Equal(t, before, h.History("alice", room))

		for name, how := range map[string]http.HandlerFunc{
			"a key that was revoked":   fakeidentity.Says(200, `{"valid":false}`),
			"what is no answer":        fakeidentity.Says(200, `{"valid":"true"}`),
			"no such page":             fakeidentity.Says(404, `{"errcode":"M_NOT_FOUND","error":"x"}`),
			"a redirection":            http.RedirectHandler("/_matrix/identity/v2/pubkey/isvalid", http.StatusFound).ServeHTTP,
			"a connection that breaks": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		} {
			h.Identity.Instead("isvalid", how)
			a := h.Do("POST", roomtest.At(room, "join"), "bob", h.proof("bob", token))
			require.Equal(t, 403, a.Status, "%s: %s", name, a)
			require.Equal(t, "M_FORBIDDEN", a.At("errcode"), "%s: %s", name, a)
		}
		require.Equal(t, before, h.History("alice", room))
		h.Identity.Instead("isvalid", nil)
		h.Act("bob", room, "join", h.proof("bob", token))
	})
}

// TestWhereKeysAreConfirmed: only https is asked, and a key without an address
// counts as valid.
func TestWhereKeysAreConfirmed(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	room := h.Create("alice", slicetest.O{})
	token := h.letter("alice", room)
	own := h.State("alice", room, "m.room.third_party_invite", token).At("public_key")
	for name, c := range map[string]struct {
		url    any
		status int
	}{
		"nowhere":                {nil, 200},
		"without encryption":     {"http://" + h.Identity.Name() + "/_matrix/identity/v2/pubkey/isvalid", 403},
		"in a file":              {"file:///etc/passwd", 403},
		"with a password":        {"https://a:b@" + h.Identity.Name() + "/_matrix/identity/v2/pubkey/isvalid", 403},
		"at no address":          {"https:///isvalid", 403},
		"at what is no URL":      {":", 403},
		"with another parameter": {"https://" + h.Identity.Name() + "/_matrix/identity/v2/pubkey/isvalid?a=b&public_key=x#y", 200},
	} {
		t.Run(name, func(t *testing.T) {
			room := h.Create("alice", slicetest.O{})
			h.Set("alice", room, "m.room.third_party_invite", "here",
				roomtest.With(slicetest.O{"display_name": "d", "public_keys": slicetest.L{roomtest.With(slicetest.O{"public_key": own}, slicetest.O{"key_validity_url": c.url})}}, nil))
			h.Identity.Calls()
			a := h.Do("POST", roomtest.At(room, "join"), "bob",
				slicetest.O{"third_party_signed": h.Identity.Sign(slicetest.User("alice"), slicetest.User("bob"), "here", true)})
			require.Equal(t, c.status, a.Status, a)
			require.Equal(t, c.status == 200 && c.url != nil, len(h.Identity.Calls()) == 1)
		})
	}
}

// TestThirdPartyInviterOfElsewhere: the invitation must come from the inviter's
// server.
func TestThirdPartyInviterOfElsewhere(t *testing.T) {
	h := newFixture(t, storagetest.Open(t))
	room := h.Create("alice", slicetest.O{})
	token := h.letter("alice", room)
	signer := h.Signer()
	signer.Name = "hs2"
	other := rooms.New(rooms.Deps{
		DB: h.DB, Feed: h.Feed, Env: h.Env, Log: h.Log, Name: "hs2", Signer: signer,
		Verify:   func(*event.Event, id.ServerName) bool { return true },
		Identity: idclient.New(idclient.Options{AllowPrivate: true, RootCAs: h.Identity.Roots()}),
	})
	err := other.SetMember(t.Context(), id.RoomID(room), rooms.MemberChange{
		Sender: "@bob:hs2", User: "@bob:hs2", Membership: "join",
		ThirdParty: &rooms.ThirdPartySigned{Sender: "@alice:hs1", Token: token, Signed: []byte("{}")},
	})
	var refusal *rooms.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, rooms.RuleThirdParty, refusal.Rule)
	require.Contains(t, refusal.Reason, "of another server")
}
