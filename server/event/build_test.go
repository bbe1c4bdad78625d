// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

func text(s string) *string { return &s }

func publicKey(s event.Signer) ed25519.PublicKey { return s.Key.Public().(ed25519.PublicKey) }

func otherSigner() event.Signer {
	seed := sha256.Sum256([]byte("other"))
	return event.Signer{Name: "other.example", KeyID: "ed25519:2", Key: ed25519.NewKeyFromSeed(seed[:])}
}

// build makes an event of a draft by @u:domain and fills in its references.
func build(t testing.TB, rules *roomver.Rules, d event.Draft) *event.Event {
	d = fill(rules, d)
	e, err := event.Build(rules, d, specSigner(t))
	require.NoError(t, err)
	return e
}

func fill(rules *roomver.Rules, d event.Draft) event.Draft {
	ref := id.EventID(hashA)
	d.RoomID, d.Sender = "!room:domain", "@u:domain"
	if rules.RoomIDIsCreateHash {
		d.RoomID = id.RoomID("!" + hashB[1:])
	}
	if rules.ReferencesCarryHashes {
		ref = "$prev:domain"
		d.ReferenceHashes = map[id.EventID][sha256.Size]byte{ref: sha256.Sum256(nil)}
	}
	d.PrevEvents, d.AuthEvents = []id.EventID{ref}, []id.EventID{ref}
	d.Depth, d.OriginServerTS = 2, 1000000
	return d
}

func TestABuiltEventIsSignedHashedAndReadBack(t *testing.T) {
	s := specSigner(t)
	for _, rules := range roomver.All() {
		e := build(t, rules, event.Draft{Type: "m.room.message", Content: []byte(`{"body":"<&>☃","a":{"c":1,"b":2}}`)})
		require.Equal(t, `{"a":{"b":2,"c":1},"body":"<&>☃"}`, string(e.Content))
		require.True(t, e.ContentHashMatches())
		require.NoError(t, e.VerifySignature(s.Name, s.KeyID, publicKey(s)))
		require.Equal(t, []id.KeyID{s.KeyID}, e.SignedBy(s.Name))

		parsed, err := event.Parse(rules, e.PDU())
		require.NoError(t, err)
		require.Equal(t, e, parsed)

		again := build(t, rules, event.Draft{Type: "m.room.message", Content: []byte(`{"a":{"c":1,"b":2},"body":"<&>☃"}`)})
		require.Equal(t, e, again, "the same draft makes the same event")
	}
}

// TestEventIDsDoNotChange compares the IDs of one event with constants, so
// that a code change cannot change IDs unnoticed.
func TestEventIDsDoNotChange(t *testing.T) {
	for span, want := range map[string]id.EventID{
		"1-2":  "$Rb5BVBp7-Ahgq_-Dffy5hv5jaPAKRBtz:domain",
		"3":    "$XcF78QNcp/guVddyop03xTcP+3w03VALRrR2x+qZcYw",
		"4-11": "$XcF78QNcp_guVddyop03xTcP-3w03VALRrR2x-qZcYw",
		"12":   "$k7SisM8AiydGJM2vkrs8lM1tJHOek9_-d5VEkB0DVIA",
	} {
		for _, rules := range versions(t, span) {
			e := build(t, rules, event.Draft{Type: "m.room.message", Content: []byte(`{"body":"one"}`)})
			require.Equal(t, want, e.ID, "version %s", rules.Version)
		}
	}
}

func TestRoomIDIsHashOfCreateEvent(t *testing.T) {
	rules := rulesOf(t, "12")
	d := event.Draft{Sender: "@u:domain", Type: event.TypeCreate, StateKey: text(""), Content: []byte(`{"room_version":"12"}`)}
	e, err := event.Build(rules, d, specSigner(t))
	require.NoError(t, err)
	require.Equal(t, string(e.ID[1:]), string(e.RoomID[1:]))
	require.True(t, strings.HasPrefix(string(e.RoomID), "!"))
	require.False(t, e.NamesRoom())
	require.NotContains(t, string(e.PDU()), "room_id")
	require.Contains(t, string(e.ClientJSON()), `"room_id":"`+string(e.RoomID)+`"`)

	d.RoomID = "!elsewhere:domain"
	named, err := event.Build(rules, d, specSigner(t))
	require.NoError(t, err)
	require.True(t, named.NamesRoom())
	require.Equal(t, string(named.ID[1:]), string(named.RoomID[1:]), "whatever room it names, it is of its own")
}

func TestBuildWritesRedactsWhereTheVersionHasIt(t *testing.T) {
	for _, rules := range roomver.All() {
		e := build(t, rules, event.Draft{Type: event.TypeRedaction, Redacts: "$target:domain", Content: []byte(`{"reason":"x"}`)})
		if rules.RedactsInContent {
			require.Equal(t, `{"reason":"x","redacts":"$target:domain"}`, string(e.Content))
			require.Equal(t, 1, strings.Count(string(e.PDU()), "$target"))
		} else {
			require.Equal(t, `{"reason":"x"}`, string(e.Content))
			require.Contains(t, string(e.PDU()), `"redacts":"$target:domain","room_id"`)
		}
	}
}

// Spec: room version 11, "Moving the redacts property".
func TestClientsSeeRedactsInBothPlaces(t *testing.T) {
	for _, rules := range roomver.All() {
		e := build(t, rules, event.Draft{Type: event.TypeRedaction, Redacts: "$target:domain", Content: []byte(`{"reason":"x"}`)})
		require.JSONEq(t, `{"content":{"reason":"x","redacts":"$target:domain"},"event_id":"`+string(e.ID)+
			`","origin_server_ts":1000000,"redacts":"$target:domain","room_id":"`+string(e.RoomID)+
			`","sender":"@u:domain","type":"m.room.redaction"}`, string(e.ClientJSON()))
		canonical, err := canonjson.Canonical(e.ClientJSON())
		require.NoError(t, err)
		require.Equal(t, string(canonical), string(e.ClientJSON()))
	}
}

func TestClientsSeeTheTargetThatTheVersionMeans(t *testing.T) {
	forged := build(t, rulesOf(t, "10"), event.Draft{
		Type: event.TypeRedaction, Redacts: "$target:domain", Content: []byte(`{"redacts":"$other:domain"}`),
	})
	require.NotContains(t, string(forged.ClientJSON()), "$other")
	none := build(t, rulesOf(t, "11"), event.Draft{Type: event.TypeRedaction, Content: []byte(`{"redacts":5}`)})
	require.Contains(t, string(none.ClientJSON()), `{"content":{"redacts":5},`)
	require.Equal(t, 1, strings.Count(string(none.ClientJSON()), "redacts"))
	message := build(t, rulesOf(t, "11"), event.Draft{Type: "m.room.message", Content: []byte(`{"redacts":"$x:domain"}`)})
	require.Equal(t, 1, strings.Count(string(message.ClientJSON()), "redacts"), "only redactions redact")
}

func TestClientsSeeNothingOfTheFederationFormat(t *testing.T) {
	e := build(t, rulesOf(t, "12"), event.Draft{Type: "m.room.name", StateKey: text("k\"☃"), Content: []byte(`{"name":"x"}`)})
	require.Equal(t, `{"content":{"name":"x"},"event_id":"`+string(e.ID)+`","origin_server_ts":1000000,"room_id":"`+
		string(e.RoomID)+`","sender":"@u:domain","state_key":"k\"☃","type":"m.room.name"}`, string(e.ClientJSON()))
	require.Equal(t, strings.Replace(string(e.ClientJSON()), `"room_id":"`+string(e.RoomID)+`",`, "", 1), string(e.SyncJSON()))
}

func TestBuildRefuses(t *testing.T) {
	s := specSigner(t)
	for _, tc := range []struct {
		name    string
		version string
		change  func(*event.Draft)
		want    string
	}{
		{"content that is no object", "12", func(d *event.Draft) { d.Content = []byte(`[]`) }, "content is not an object"},
		{"content that is no JSON", "12", func(d *event.Draft) { d.Content = []byte(`{`) }, "canonicalise content"},
		{"floats where JSON is strict", "6", func(d *event.Draft) { d.Content = []byte(`{"a":1.5}`) }, "canonicalise content"},
		{"an event that is too large", "12", func(d *event.Draft) { d.Content = []byte(`{"a":"` + strings.Repeat("x", 65536) + `"}`) }, "more than 65536"},
		{"a sender that is no user", "12", func(d *event.Draft) { d.Sender = "u" }, "sender is invalid"},
		{"references without hashes", "1", func(d *event.Draft) { d.ReferenceHashes = nil }, "no reference hash of $prev:domain"},
		{"an event ID of a later version", "1", func(d *event.Draft) { d.EventID = hashA }, "event_id is not an event ID with a domain"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := fill(rulesOf(t, tc.version), event.Draft{Type: "m.room.message"})
			tc.change(&d)
			_, err := event.Build(rulesOf(t, tc.version), d, s)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestBuildAcceptsIntegersInAnyNotation(t *testing.T) {
	e := build(t, rulesOf(t, "12"), event.Draft{Type: "x", Content: []byte(`{"a":1e10,"b":-0}`)})
	require.Equal(t, `{"a":10000000000,"b":0}`, string(e.Content))
}

func TestSignKeepsOtherSignatures(t *testing.T) {
	first, second := specSigner(t), otherSigner()
	for _, rules := range roomver.All() {
		e := build(t, rules, event.Draft{Type: "m.room.member", StateKey: text("@v:other.example"), Content: []byte(`{"membership":"invite"}`)})
		both, err := e.Sign(second)
		require.NoError(t, err)
		require.Empty(t, e.SignedBy(second.Name), "the event itself stays")
		require.Equal(t, e.ID, both.ID)
		require.NoError(t, both.VerifySignature(first.Name, first.KeyID, publicKey(first)))
		require.NoError(t, both.VerifySignature(second.Name, second.KeyID, publicKey(second)))
		require.True(t, both.ContentHashMatches())
		var names []id.ServerName
		for name := range both.Signatures() {
			names = append(names, name)
		}
		require.Equal(t, []id.ServerName{first.Name, second.Name}, names)

		signature := event.Member(event.Member(event.Member(both.PDU(), "signatures"), "other.example"), "ed25519:2")
		added, err := e.AddSignatures([]byte(`{"other.example":{"ed25519:2":` + string(signature) + `},"domain":{"ed25519:1":"forged"}}`))
		require.NoError(t, err)
		require.Equal(t, both, added, "a signature that is there already stays")

		parsed, err := event.Parse(rules, both.PDU())
		require.NoError(t, err)
		require.Equal(t, both, parsed)
	}
}

func TestASignatureMustFitTheEventTheServerAndTheKey(t *testing.T) {
	s, other := specSigner(t), otherSigner()
	rules := rulesOf(t, "12")
	e := build(t, rules, event.Draft{Type: "x"})
	require.ErrorIs(t, e.VerifySignature(s.Name, s.KeyID, publicKey(other)), event.ErrSignature)
	require.ErrorIs(t, e.VerifySignature(s.Name, "ed25519:9", publicKey(s)), event.ErrSignature)
	require.ErrorIs(t, e.VerifySignature("elsewhere", s.KeyID, publicKey(s)), event.ErrSignature)
	require.ErrorIs(t, e.VerifySignature(s.Name, s.KeyID, nil), event.ErrSignature)

	forged, err := event.Parse(rules, []byte(strings.Replace(string(e.PDU()), `"type":"x"`, `"type":"y"`, 1)))
	require.NoError(t, err)
	require.ErrorIs(t, forged.VerifySignature(s.Name, s.KeyID, publicKey(s)), event.ErrSignature)
	garbled, err := event.Parse(rules, []byte(strings.Replace(string(e.PDU()), `"ed25519:1":"`, `"ed25519:1":"*`, 1)))
	require.NoError(t, err)
	require.ErrorIs(t, garbled.VerifySignature(s.Name, s.KeyID, publicKey(s)), event.ErrSignature)
}

func TestChangedContentBreaksHashButNotSignature(t *testing.T) {
	s := specSigner(t)
	e := build(t, rulesOf(t, "12"), event.Draft{Type: "m.room.message", Content: []byte(`{"body":"good"}`)})
	changed, err := event.Parse(e.Rules(), []byte(strings.Replace(string(e.PDU()), "good", "evil", 1)))
	require.NoError(t, err)
	require.False(t, changed.ContentHashMatches())
	require.NoError(t, changed.VerifySignature(s.Name, s.KeyID, publicKey(s)))
	require.Equal(t, e.ID, changed.ID)
	require.Equal(t, e.Redact().PDU(), changed.Redact().PDU(), "redacted, both are the same")
}

func TestPaddedHashesAndSignaturesAreRead(t *testing.T) {
	s := specSigner(t)
	e := build(t, rulesOf(t, "1"), event.Draft{Type: "x"})
	hash, _ := event.Text(event.Member(event.Member(e.PDU(), "hashes"), "sha256"))
	signature, _ := event.Text(event.Member(event.Member(event.Member(e.PDU(), "signatures"), "domain"), "ed25519:1"))
	padded := strings.NewReplacer(hash, hash+"=", signature, signature+"==").Replace(string(e.PDU()))
	p, err := event.Parse(e.Rules(), []byte(padded))
	require.NoError(t, err)
	require.True(t, p.ContentHashMatches())
	unsigned := strings.NewReplacer(signature, signature+"==").Replace(string(e.PDU()))
	p, err = event.Parse(e.Rules(), []byte(unsigned))
	require.NoError(t, err)
	require.NoError(t, p.VerifySignature(s.Name, s.KeyID, publicKey(s)))
}

func TestSignJSONKeepsOtherSignaturesAndUnsigned(t *testing.T) {
	s, other := specSigner(t), otherSigner()
	one, err := event.SignJSON([]byte(`{"unsigned":{"age":1},"server_name":"domain"}`), s)
	require.NoError(t, err)
	both, err := event.SignJSON(one, other)
	require.NoError(t, err)
	require.Contains(t, string(both), `"unsigned":{"age":1}`)
	require.NoError(t, event.VerifyJSON(both, s.Name, s.KeyID, publicKey(s)))
	require.NoError(t, event.VerifyJSON(both, other.Name, other.KeyID, publicKey(other)))
	require.NoError(t, event.VerifyCanonical(both, s.Name, s.KeyID, publicKey(s)))
	changed := strings.Replace(string(both), `"age":1`, `"age":2`, 1)
	require.NoError(t, event.VerifyJSON([]byte(changed), s.Name, s.KeyID, publicKey(s)))
	changed = strings.Replace(string(both), `"server_name":"domain"`, `"server_name":"d"`, 1)
	require.ErrorIs(t, event.VerifyJSON([]byte(changed), s.Name, s.KeyID, publicKey(s)), event.ErrSignature)
	_, err = event.SignJSON([]byte(`[]`), s)
	require.Error(t, err)
	require.Error(t, event.VerifyJSON([]byte(`[]`), s.Name, s.KeyID, publicKey(s)))
}

func TestTrustedRefusesBrokenBytes(t *testing.T) {
	e := build(t, rulesOf(t, "12"), event.Draft{Type: "x", StateKey: text("k")})
	pdu := string(e.PDU())
	for i := range len(pdu) {
		_, err := event.Trusted(e.Rules(), e.ID, []byte(pdu[:i]))
		require.Error(t, err, pdu[:i])
	}
}

func TestMembersReadsCanonicalObjects(t *testing.T) {
	obj, err := canonjson.Canonical([]byte(`{"b":[1,{"x":"]"}],"a\"\u0001":"\\\"","":null,"☃":{}}`))
	require.NoError(t, err)
	got := map[string]string{}
	for k, v := range event.Members(obj) {
		got[k] = string(v)
	}
	require.Equal(t, map[string]string{"": "null", "a\"\x01": `"\\\""`, "b": `[1,{"x":"]"}]`, "☃": "{}"}, got)
	require.Equal(t, `"\\\""`, string(event.Member(obj, "a\"\x01")))
	require.Nil(t, event.Member(obj, "c"))
	require.Nil(t, event.Member([]byte(`[1]`), "c"))
	var elements []string
	for v := range event.Elements(event.Member(obj, "b")) {
		elements = append(elements, string(v))
	}
	require.Equal(t, []string{"1", `{"x":"]"}`}, elements)
	s, ok := event.Text([]byte(`"a\\\"\n"`))
	require.True(t, ok)
	require.Equal(t, "a\\\"\n", s)
	_, ok = event.Text([]byte(`{}`))
	require.False(t, ok)
}
