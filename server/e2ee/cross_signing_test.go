// SPDX-License-Identifier: Apache-2.0

package e2ee_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/slicetest"
)

var (
	pathCrossSigning = slicetest.Path("v3/keys/device_signing/upload")
	pathSignatures   = slicetest.Path("v3/keys/signatures/upload")
)

// crossSigning is a key of the user's for a usage, not signed yet.
func (d *device) crossSigning(usage string, key ed25519.PrivateKey) slicetest.O {
	return slicetest.O{"user_id": d.user, "usage": slicetest.L{usage}, "keys": slicetest.O{"ed25519:" + public(key): public(key)}}
}

// set are the three keys of a name, signed by its master key.
func (d *device) set(name string) slicetest.O {
	d.f.t.Helper()
	master := keyOf(name + "master")
	by := func(usage string) slicetest.O {
		return sign(d.f.t, d.crossSigning(usage, keyOf(name+usage)), d.user, "ed25519:"+public(master), master)
	}
	return slicetest.O{
		"master_key": d.crossSigning("master", master), "self_signing_key": by("self_signing"), "user_signing_key": by("user_signing"),
	}
}

// confirmed is a body with the password, in a session.
func (d *device) confirmed(body slicetest.O, session string) slicetest.O {
	out := slicetest.O{"auth": slicetest.O{
		"type": "m.login.password", "password": password, "session": session,
		"identifier": slicetest.O{"type": "m.id.user", "user": d.user},
	}}
	for name, value := range body {
		out[name] = value
	}
	return out
}

// TestCrossSigningKeysAreConfirmed exactly where new keys take the place of others.
//
// MSC3967: the first upload, and the same one again, ask for nothing.
func TestCrossSigningKeysAreConfirmed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.register("alice", "ALICE"), f.register("bob", "BOB")
		first := alice.set("first")
		alice.ok("POST", pathCrossSigning, slicetest.O{"master_key": first["master_key"]})
		alice.ok("POST", pathCrossSigning, slicetest.O{"master_key": first["master_key"]})
		asked := func(body slicetest.O) string {
			t.Helper()
			a := alice.do("POST", pathCrossSigning, body)
			require.Equal(t, 401, a.Status, a)
			require.Equal(t, `[{"stages":["m.login.password"]}]`, a.At("flows"))
			return a.At("session")
		}
		more := slicetest.O{"self_signing_key": first["self_signing_key"]}
		session := asked(more)
		require.Empty(t, bob.query(alice.user).At("self_signing_keys", alice.user))
		alice.ok("POST", pathCrossSigning, alice.confirmed(more, session))
		alice.ok("POST", pathCrossSigning, alice.confirmed(more, session))
		asked(alice.confirmed(slicetest.O{"user_signing_key": first["user_signing_key"]}, session)) // it was for another key
		alice.ok("POST", pathCrossSigning, alice.confirmed(first, asked(first)))
		alice.ok("POST", pathCrossSigning, first)
		require.NotEmpty(t, alice.query(alice.user).At("user_signing_keys", alice.user))

		second := alice.set("second")
		alice.ok("POST", pathCrossSigning, alice.confirmed(slicetest.O{"master_key": second["master_key"]}, asked(slicetest.O{"master_key": second["master_key"]})))
		a := alice.query(alice.user)
		require.Equal(t, `{"ed25519:`+public(keyOf("secondmaster"))+`":"`+public(keyOf("secondmaster"))+`"}`, a.At("master_keys", alice.user, "keys"))
		require.Empty(t, a.At("self_signing_keys", alice.user), "the new master key has not signed it")
		alice.ok("POST", pathCrossSigning, slicetest.O{})
	})
}

func TestCrossSigningKeysAreChecked(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.register("alice", "ALICE"), f.register("bob", "BOB")
		named := alice.login(public(keyOf("named")))
		set, other := alice.set("first"), alice.set("other")
		master := func(change func(slicetest.O)) slicetest.O {
			k := alice.crossSigning("master", keyOf("x"))
			change(k)
			return slicetest.O{"master_key": k}
		}
		row := func(name string, body any, status int, errcode string) slicetest.Row {
			return slicetest.Row{Name: name, Method: "POST", Path: pathCrossSigning, Token: alice.token, Body: body, Status: status, ErrCode: errcode}
		}
		slicetest.Table(t, f.router, []slicetest.Row{
			row("no master key", slicetest.O{"self_signing_key": set["self_signing_key"]}, 400, "M_MISSING_PARAM"),
			row("signed by another", slicetest.O{"master_key": set["master_key"], "self_signing_key": other["self_signing_key"]}, 400, "M_INVALID_SIGNATURE"),
			row("not signed", slicetest.O{"master_key": set["master_key"], "user_signing_key": alice.crossSigning("user_signing", keyOf("u"))}, 400, "M_INVALID_SIGNATURE"),
			row("another user's", master(func(k slicetest.O) { k["user_id"] = bob.user }), 400, "M_INVALID_PARAM"),
			row("another usage", master(func(k slicetest.O) { k["usage"] = slicetest.L{"self_signing"} }), 400, "M_INVALID_PARAM"),
			row("another name", master(func(k slicetest.O) { k["keys"] = slicetest.O{"ed25519:x": public(keyOf("x"))} }), 400, "M_INVALID_PARAM"),
			row("two keys", master(func(k slicetest.O) { k["keys"] = slicetest.O{"ed25519:a": "a", "ed25519:b": "b"} }), 400, "M_BAD_JSON"),
			row("no key", master(func(k slicetest.O) { k["keys"] = slicetest.O{} }), 400, "M_BAD_JSON"),
			row("the name of a device", slicetest.O{"master_key": alice.crossSigning("master", keyOf("named"))}, 403, "M_FORBIDDEN"),
			{Name: "no token", Method: "POST", Path: pathCrossSigning, Body: slicetest.O{}, Status: 401, ErrCode: "M_MISSING_TOKEN"},
		})
		require.NotEmpty(t, named.token)
		alice.ok("POST", pathCrossSigning, set)
		a := slicetest.Do(t, f.router, "POST", slicetest.Path("v3/login"), "", slicetest.O{
			"type": "m.login.password", "password": password, "device_id": public(keyOf("firstmaster")),
			"identifier": slicetest.O{"type": "m.id.user", "user": "alice"},
		})
		require.Equal(t, "M_FORBIDDEN", a.At("errcode"), "a device is not named as a key")
	})
}

// TestSignatures are published if they are valid and by a key that may sign.
func TestSignatures(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.register("alice", "ALICE"), f.register("bob", "BOB")
		phone := alice.login("PHONE")
		alice.upload(slicetest.O{"device_keys": alice.keys()})
		bob.upload(slicetest.O{"device_keys": bob.keys()})
		alice.ok("POST", pathCrossSigning, alice.set("alice"))
		bob.ok("POST", pathCrossSigning, bob.set("bob"))
		name := func(key string) string { return public(keyOf(key)) }
		by := func(obj slicetest.O, key string) slicetest.O {
			return sign(t, obj, alice.user, "ed25519:"+name(key), keyOf(key))
		}
		bobMaster := bob.crossSigning("master", keyOf("bobmaster"))
		aliceMaster := alice.crossSigning("master", keyOf("alicemaster"))
		forged := by(alice.unsigned(), "aliceself_signing")
		forged["algorithms"] = slicetest.L{"m.other"}
		send := func(user, key string, obj slicetest.O) string {
			t.Helper()
			return alice.ok("POST", pathSignatures, slicetest.O{user: slicetest.O{key: obj}}).At("failures", user, key, "errcode")
		}
		require.Equal(t, "M_NOT_FOUND", send(alice.user, "PHONE", by(phone.unsigned(), "aliceself_signing")), "it has no keys")
		require.Equal(t, "M_NOT_FOUND", send("@nobody:hs1", "X", slicetest.O{}))
		require.Equal(t, "M_NOT_FOUND", send(bob.user, "BOB", by(bob.unsigned(), "aliceuser_signing")), "nobody signs devices of others")
		require.Equal(t, "M_INVALID_PARAM", send(alice.user, "ALICE", forged), "it is another key")
		require.Equal(t, "M_INVALID_SIGNATURE", send(alice.user, "ALICE", alice.unsigned()))
		require.Equal(t, "M_INVALID_SIGNATURE", send(alice.user, "ALICE", by(alice.unsigned(), "aliceuser_signing")), "by a key for others")
		require.Equal(t, "M_INVALID_SIGNATURE", send(bob.user, name("bobmaster"), by(bobMaster, "aliceself_signing")))
		require.Equal(t, "M_INVALID_SIGNATURE", send(bob.user, name("bobmaster"),
			sign(t, bobMaster, alice.user, "ed25519:"+name("aliceuser_signing"), keyOf("wrong"))))
		require.Equal(t, "M_INVALID_SIGNATURE", send(bob.user, name("bobmaster"),
			sign(t, by(bobMaster, "aliceuser_signing"), bob.user, "ed25519:BOB", keyOf("wrong"))), "one of two is invalid")

		a := alice.ok("POST", pathSignatures, slicetest.O{
			alice.user: slicetest.O{
				"ALICE":             by(alice.keys(), "aliceself_signing"),
				name("alicemaster"): sign(t, aliceMaster, alice.user, "ed25519:ALICE", alice.key),
			},
			bob.user: slicetest.O{name("bobmaster"): by(bobMaster, "aliceuser_signing")},
		})
		require.Contains(t, []string{"", "{}"}, a.At("failures"))

		self, own := "ed25519:"+name("aliceself_signing"), "ed25519:"+name("aliceuser_signing")
		for _, viewer := range []*device{alice, bob} {
			a := viewer.query(alice.user, bob.user)
			require.NotEmpty(t, a.At("device_keys", alice.user, "ALICE", "signatures", alice.user, self), viewer.user)
			require.NotEmpty(t, a.At("device_keys", alice.user, "ALICE", "signatures", alice.user, "ed25519:ALICE"), viewer.user)
			require.NotEmpty(t, a.At("master_keys", alice.user, "signatures", alice.user, "ed25519:ALICE"), viewer.user)
			require.Equal(t, viewer == alice, a.At("master_keys", bob.user, "signatures", alice.user, own) != "", viewer.user)
			require.Equal(t, viewer == alice, a.At("user_signing_keys", alice.user) != "", viewer.user)
			require.Equal(t, viewer == bob, a.At("user_signing_keys", bob.user) != "", viewer.user)
		}
		require.Empty(t, alice.query(alice.user).At("device_keys", alice.user, "PHONE"))
	})
}
