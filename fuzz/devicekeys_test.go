// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/devicekeys"
)

// FuzzDeviceKeys checks that identity and cross-signing keys that are accepted are
// accepted again in the form in which they are kept, as the same keys, and that
// nobody's signature is on what nobody has signed.
func FuzzDeviceKeys(f *testing.F) {
	const key = `"ed25519:D":"SogYyrkTldLz0BXP+GYWs0qaYacUI0RleEqNT8J3riQ"`
	for _, s := range []string{
		`{"user_id":"@a:b","device_id":"D","algorithms":[],"keys":{` + key + `},"signatures":{"@a:b":{"ed25519:D":"AAAA"}}}`,
		`{"user_id":"@a:b","usage":["master"],"keys":{"ed25519:SogYyrkTldLz0BXP+GYWs0qaYacUI0RleEqNT8J3riQ":"SogYyrkTldLz0BXP+GYWs0qaYacUI0RleEqNT8J3riQ"}}`,
		`{"keys":{"ed25519:D":7}}`, `[]`, `{"a":1,"a":2}`, `{"signatures":{"x":{}}}`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, obj []byte) {
		if d, err := devicekeys.ParseDevice(obj, "@a:b", "D"); err == nil {
			again, err := devicekeys.ParseDevice(d.JSON, "@a:b", "D")
			require.NoError(t, err)
			require.Equal(t, d, again)
			require.True(t, devicekeys.SameBesideSignatures(d.JSON, again.JSON))
			require.Error(t, d.Signed("@b:b"))
		} else {
			require.ErrorIs(t, err, devicekeys.ErrFormat)
		}
		if k, err := devicekeys.ParseCrossSigning(obj, "@a:b", "master"); err == nil {
			require.Len(t, k.Name(), 43)
			again, err := devicekeys.ParseCrossSigning(k.JSON, "@a:b", "master")
			require.NoError(t, err)
			require.Equal(t, k, again)
		}
		b, err := devicekeys.Canonical(obj)
		if err != nil {
			return
		}
		list, err := devicekeys.Signatures(b)
		if err != nil {
			require.ErrorIs(t, err, devicekeys.ErrFormat)
		}
		for _, s := range list {
			require.NotEmpty(t, s.Signer)
		}
	})
}

// FuzzOneTimeKey checks that a one-time key that is accepted is accepted again in
// the form in which it is kept, and is the same.
func FuzzOneTimeKey(f *testing.F) {
	f.Add("signed_curve25519:A", []byte(`{"key":"06UzBknVHFMwgi7AVloY7ylC+xhOhEX4PkNge14Grl8","signatures":{}}`))
	f.Add("curve25519:A", []byte(`"06UzBknVHFMwgi7AVloY7ylC+xhOhEX4PkNge14Grl8"`))
	f.Add("A", []byte(`{}`))
	f.Add("a:b", []byte(`"x"`))
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		k, err := devicekeys.ParseOneTime(name, value)
		if err != nil {
			require.ErrorIs(t, err, devicekeys.ErrFormat)
			return
		}
		again, err := devicekeys.ParseOneTime(k.Algorithm+":"+k.ID, k.JSON)
		require.NoError(t, err)
		require.Equal(t, k, again)
	})
}
