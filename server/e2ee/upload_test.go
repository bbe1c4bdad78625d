// SPDX-License-Identifier: Apache-2.0

package e2ee_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/tests/slicetest"
)

func TestUploadIdentityKeys(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.register("alice", "ALICE"), f.register("bob", "BOB")
		require.Equal(t, `{}`, alice.upload(slicetest.O{}).At("one_time_key_counts"))
		require.Equal(t, `{}`, bob.query(alice.user).At("device_keys", alice.user), "none yet")
		require.Empty(t, bob.query("@nobody:hs1").At("device_keys", "@nobody:hs1"))

		keys := alice.keys()
		alice.upload(slicetest.O{"device_keys": keys})
		got := bob.query(alice.user)
		require.Equal(t, one(t, slicetest.O{"keys": keys["keys"]}, "keys"), `{"keys":`+got.At("device_keys", alice.user, "ALICE", "keys")+`}`)
		require.Equal(t, one(t, slicetest.O{"s": keys["signatures"]}, "s"), `{"s":`+got.At("device_keys", alice.user, "ALICE", "signatures")+`}`)
		require.Equal(t, `{}`, got.At("device_keys", alice.user, "ALICE", "unsigned"))
		alice.ok("PUT", slicetest.Path("v3/devices/ALICE"), slicetest.O{"display_name": "Laptop"})
		require.Equal(t, "Laptop", bob.query(alice.user).At("device_keys", alice.user, "ALICE", "unsigned", "device_display_name"))
		alice.login("NOKEYS")
		a := bob.ok("POST", slicetest.Path("v3/keys/query"), slicetest.O{"device_keys": slicetest.O{
			alice.user: slicetest.L{"NOKEYS"}, "@carol:hs2": slicetest.L{}}})
		require.Equal(t, `{}`, a.At("device_keys", alice.user))
		require.NotEmpty(t, a.At("failures", "hs2"), "nobody can be asked")
		alice.ok("POST", slicetest.Path("v3/logout"), slicetest.O{})
		require.Equal(t, `{}`, bob.query(alice.user).At("device_keys", alice.user), "gone with the device")
	})
}

// TestIdentityKeysAreChecked as far as the text says, and a little less where it is
// departed from.
func TestIdentityKeysAreChecked(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.register("alice", "ALICE"), f.register("bob", "BOB")
		with := func(change func(keys slicetest.O)) slicetest.O {
			keys := alice.unsigned()
			change(keys)
			return slicetest.O{"device_keys": sign(t, keys, alice.user, "ed25519:ALICE", alice.key)}
		}
		replace := func(name string, value any) slicetest.O {
			return with(func(keys slicetest.O) { keys[name] = value })
		}
		forged := alice.keys()
		forged["algorithms"] = slicetest.L{"m.other"}
		row := func(name string, body any, status int, errcode string) slicetest.Row {
			return slicetest.Row{Name: name, Method: "POST", Path: pathUpload, Token: alice.token, Body: body, Status: status, ErrCode: errcode}
		}
		slicetest.Table(t, f.router, []slicetest.Row{
			row("no signature", slicetest.O{"device_keys": alice.unsigned()}, 400, "M_INVALID_PARAM"),
			row("another signature", slicetest.O{"device_keys": forged}, 400, "M_INVALID_PARAM"),
			row("another user", replace("user_id", bob.user), 400, "M_INVALID_PARAM"),
			row("another device", replace("device_id", "BOB"), 400, "M_INVALID_PARAM"),
			row("no keys", replace("keys", slicetest.O{}), 400, "M_INVALID_PARAM"),
			row("a short key", replace("keys", slicetest.O{"ed25519:ALICE": "AAAA"}), 400, "M_INVALID_PARAM"),
			row("a padded key", replace("keys", slicetest.O{"ed25519:ALICE": public(alice.key) + "="}), 400, "M_INVALID_PARAM"),
			row("a key of another device", replace("keys", slicetest.O{"ed25519:ALICE": public(alice.key), "ed25519:BOB": public(bob.key)}), 400, "M_INVALID_PARAM"),
			row("no algorithms", `{"device_keys":{"user_id":"@alice:hs1","device_id":"ALICE","keys":{},"signatures":{}}}`, 400, "M_BAD_JSON"),
			row("a name without an algorithm", slicetest.O{"one_time_keys": slicetest.O{"AAAA": "x"}}, 400, "M_INVALID_PARAM"),
			row("a one-time key that is no object", slicetest.O{"one_time_keys": slicetest.O{"signed_curve25519:A": public(bob.key)}}, 400, "M_INVALID_PARAM"),
			row("two fallback keys", slicetest.O{"fallback_keys": alice.oneTime("A", "B")}, 400, "M_INVALID_PARAM"),
			row("not too much", replace("more", "x"), 200, ""),
			row("too much", replace("more", string(make([]byte, 40_000))), 400, "M_INVALID_PARAM"),
			row("other keys than before", with(func(keys slicetest.O) {
				keys["keys"] = slicetest.O{"ed25519:ALICE": public(alice.key), "curve25519:ALICE": public(bob.key)}
			}), 400, "M_INVALID_PARAM"),
			{Name: "no token", Method: "POST", Path: pathUpload, Body: slicetest.O{}, Status: 401, ErrCode: "M_MISSING_TOKEN"},
		})

		alice.upload(slicetest.O{"one_time_keys": alice.oneTime("A")})
		f.lenient = true
		keys := alice.unsigned()
		keys["keys"] = slicetest.O{"ed25519:ALICE": public(bob.key)}
		require.Equal(t, `{}`, alice.upload(slicetest.O{"device_keys": keys}).At("one_time_key_counts"), "what the old keys have signed goes")
		require.Equal(t, `{"ed25519:ALICE":"`+public(bob.key)+`"}`, bob.query(alice.user).At("device_keys", alice.user, "ALICE", "keys"))
		a := alice.do("POST", pathUpload, slicetest.O{"device_keys": forged})
		require.Equal(t, 400, a.Status, "a wrong signature is no missing one")
	})
}

// TestNullListOfDevices: null for the devices of a user, which clients in Go send, is
// refused, or taken for an empty list.
func TestNullListOfDevices(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.register("alice", "ALICE"), f.register("bob", "BOB")
		alice.upload(slicetest.O{"device_keys": alice.keys()})
		query := slicetest.Path("v3/keys/query")
		body := slicetest.O{"device_keys": slicetest.O{alice.user: nil, bob.user: slicetest.L{}, "@carol:elsewhere": nil}}
		a := bob.do("POST", query, body)
		require.Equal(t, 400, a.Status, a)
		require.Equal(t, "M_BAD_JSON", a.At("errcode"))
		f.lenient = true
		a = bob.ok("POST", query, body)
		require.NotEmpty(t, a.At("device_keys", alice.user, "ALICE"))
		require.Equal(t, `{}`, a.At("device_keys", bob.user))
		require.NotEmpty(t, a.At("failures", "elsewhere"))
		for _, other := range []any{"ALICE", slicetest.O{}, slicetest.L{nil}} {
			a := bob.do("POST", query, slicetest.O{"device_keys": slicetest.O{alice.user: other}})
			require.Equal(t, 400, a.Status, "%v is no list of devices", other)
		}
	})
}

func TestOneTimeKeys(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.register("alice", "ALICE"), f.register("bob", "BOB")
		later, first := alice.oneTime("0", "1"), alice.oneTime("5")
		require.Equal(t, count(1), alice.upload(slicetest.O{"device_keys": alice.keys(), "one_time_keys": first}).At("one_time_key_counts"))
		require.Equal(t, count(3), alice.upload(slicetest.O{"one_time_keys": later}).At("one_time_key_counts"))
		require.Equal(t, count(3), alice.upload(slicetest.O{"one_time_keys": later}).At("one_time_key_counts"), "once more")
		a := alice.do("POST", pathUpload, slicetest.O{"one_time_keys": slicetest.O{
			"signed_curve25519:0": alice.oneTime("other")["signed_curve25519:other"]}})
		require.Equal(t, 400, a.Status, "another key of the same name")
		require.Contains(t, a.At("error"), "One time key signed_curve25519:0 already exists")

		require.JSONEq(t, one(t, first, "signed_curve25519:5"), bob.claim(alice), "in the order of the uploads")
		require.Equal(t, count(2), alice.upload(slicetest.O{"one_time_keys": first}).At("one_time_key_counts"), "a claimed one does not come back")
		require.JSONEq(t, one(t, later, "signed_curve25519:0"), bob.claim(alice))
		require.JSONEq(t, one(t, later, "signed_curve25519:1"), bob.claim(alice))
		require.Empty(t, bob.claim(alice), "none is left")
		require.Equal(t, count(1), alice.upload(slicetest.O{"one_time_keys": slicetest.O{
			"signed_curve25519:0": alice.oneTime("other")["signed_curve25519:other"]}}).At("one_time_key_counts"), "the name is free again")

		many := slicetest.O{}
		key := alice.oneTime("x")["signed_curve25519:x"]
		for i := range 1000 {
			many["signed_curve25519:m"+string(rune('a'+i%26))+string(rune('a'+i/26))] = key
		}
		require.Equal(t, 400, alice.do("POST", pathUpload, slicetest.O{"one_time_keys": many}).Status)
	})
}

func TestFallbackKeys(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.register("alice", "ALICE"), f.register("bob", "BOB")
		keys := alice.oneTime("A", "B", "F", "G")
		fallback := func(name string) slicetest.O {
			return slicetest.O{"signed_curve25519:" + name: keys["signed_curve25519:"+name]}
		}
		unused := func() string { t.Helper(); return alice.sync("").At("device_unused_fallback_key_types") }
		alice.upload(slicetest.O{"one_time_keys": fallback("A"), "fallback_keys": fallback("F")})
		require.Equal(t, `["signed_curve25519"]`, unused())
		require.JSONEq(t, one(t, keys, "signed_curve25519:A"), bob.claim(alice))
		require.Equal(t, `["signed_curve25519"]`, unused())
		for range 2 {
			require.JSONEq(t, one(t, keys, "signed_curve25519:F"), bob.claim(alice), "last, and again")
			require.Equal(t, `[]`, unused())
		}
		alice.upload(slicetest.O{"fallback_keys": fallback("F")})
		require.Equal(t, `[]`, unused(), "the same key stays used")
		alice.upload(slicetest.O{"fallback_keys": fallback("G"), "one_time_keys": fallback("B")})
		require.Equal(t, `["signed_curve25519"]`, unused())
		require.Equal(t, count(1), alice.sync("").At("device_one_time_keys_count"))
		bob.claim(alice)
		require.JSONEq(t, one(t, keys, "signed_curve25519:G"), bob.claim(alice))
	})
}
