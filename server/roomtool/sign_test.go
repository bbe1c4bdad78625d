// SPDX-License-Identifier: Apache-2.0

package roomtool_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/roomtool"
)

// seed and public are the key pair of the specification's test vectors.
//
// Spec: appendices "Cryptographic Test Vectors".
const (
	seed   = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"
	public = "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI"
)

// vector is the minimal event of the test vectors.
const vector = `{"room_id":"!x:domain","sender":"@a:domain","origin":"domain","origin_server_ts":1000000,"signatures":{},"hashes":{},"type":"X","content":{},` +
	`"prev_events":[],"auth_events":[],"depth":3,"unsigned":{"age_ts":1000000}}`

const vectorHash = "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"

func signingFiles() files {
	return files{
		"signing.key": []byte("# a comment\ned25519 other " + seed[:42] + "A\ned25519 1 " + seed + "\n"),
		"seed":        []byte(seed + "=\n"),
		"plain":       []byte(`{"domain":{"ed25519:1":"` + public + `"}}`),
	}
}

func TestSignMatchesTheVectorOfTheSpecification(t *testing.T) {
	f := signingFiles()
	for _, flags := range []string{"--key signing.key --key-id ed25519:1", "--key seed --key-id ed25519:1"} {
		signed := f.must(t, vector, strings.Fields("sign --room-version 1 --server domain "+flags)...)
		require.Contains(t, signed, `"hashes":{"sha256":"`+vectorHash+`"}`)
		require.Contains(t, signed, `{"domain":{"ed25519:1":"KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"}}`)
	}
}

func TestSignTakesTheFirstKeyOfTheFile(t *testing.T) {
	signed := signingFiles().must(t, vector, "sign", "--room-version", "11", "--server", "domain", "--key", "signing.key")
	require.Contains(t, signed, `"ed25519:other"`)
}

func TestHashMatchesTheVectorOfTheSpecification(t *testing.T) {
	require.Equal(t, vectorHash+"\n", files{}.must(t, vector, "hash", "--room-version", "1", "--only", "content-hash"))
}

func TestWhatIsSignedVerifies(t *testing.T) {
	f := signingFiles()
	signed := f.must(t, vector, strings.Fields("sign --room-version 11 --server domain --key seed --key-id ed25519:1")...)
	out := f.must(t, signed, "verify", "--room-version", "11", "--keys", "plain")
	require.Contains(t, out, "good  $")
	redacted := f.must(t, signed, "redact", "--room-version", "11")
	require.Equal(t,
		f.must(t, signed, "hash", "--room-version", "11", "--only", "event-id"),
		f.must(t, redacted, "hash", "--room-version", "11", "--only", "event-id"))
}

func TestKeysAreReadAsServersPublishThem(t *testing.T) {
	const old = `"old_verify_keys":{"ed25519:1":{"key":"` + public + `","expired_ts":%d}},"verify_keys":{}`
	const now = `"verify_keys":{"ed25519:1":{"key":"` + public + `"}},"valid_until_ts":%d`
	for _, c := range []struct {
		name, version, keys, state string
	}{
		{"a key that is valid", "11", fmt.Sprintf(`{"server_name":"domain",`+now+`}`, 1000000), "valid"},
		{"a key whose validity ended", "11", fmt.Sprintf(`{"server_name":"domain",`+now+`}`, 999999), "expired key"},
		{"a key whose validity ended, where that counts for nothing", "4", fmt.Sprintf(`{"server_name":"domain",`+now+`}`, 999999), "valid"},
		{"an old key", "11", fmt.Sprintf(`{"server_name":"domain",`+old+`}`, 1000000), "valid"},
		{"an old key that had expired", "11", fmt.Sprintf(`{"server_name":"domain",`+old+`}`, 999999), "expired key"},
		{"an old key that had expired, in every version", "1", fmt.Sprintf(`{"server_name":"domain",`+old+`}`, 999999), "expired key"},
		{"an old key that had expired before all time", "1", fmt.Sprintf(`{"server_name":"domain",`+old+`}`, 0), "expired key"},
		{"a key that was never valid", "11", fmt.Sprintf(`{"server_name":"domain",`+now+`}`, 0), "expired key"},
		{"a key of another server", "11", fmt.Sprintf(`{"server_name":"other",`+now+`}`, 1000000), "unknown key"},
		{"a notary's answer", "11", fmt.Sprintf(`{"server_keys":[{"server_name":"other","verify_keys":{}},{"server_name":"domain",`+now+`}]}`, 1000000), "valid"},
		{"several objects", "11", `{"other":{}}` + "\n" + `{"domain":{"ed25519:1":"` + public + `"}}`, "valid"},
		{"another key of that name", "11", `{"domain":{"ed25519:1":"` + strings.Repeat("A", 43) + `"}}`, "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := signingFiles()
			f["keys"] = []byte(c.keys)
			event := strings.Replace(vector, `"type"`, `"event_id":"$e:domain","type"`, 1)
			signed := f.must(t, event, "sign", "--room-version", c.version, "--server", "domain", "--key", "seed", "--key-id", "ed25519:1")
			code, out, errs := f.run(signed, "verify", "--room-version", c.version, "--keys", "keys")
			require.Empty(t, errs)
			require.Contains(t, out, "\n  "+c.state+" ")
			if c.state == "valid" {
				require.Equal(t, roomtool.ExitGood, code, out)
			} else {
				require.Equal(t, roomtool.ExitFailed, code, out)
			}
		})
	}
}

func TestPolicyServerSignaturesAreSkipped(t *testing.T) {
	f := signingFiles()
	f["keys"] = []byte(`{"domain":{"ed25519:1":"` + public + `","ed25519:policy_server":"` + strings.Repeat("A", 43) + `"}}`)
	sign := func(event, keyID string) string {
		return f.must(t, event, "sign", "--room-version", "11", "--server", "domain", "--key", "seed", "--key-id", keyID)
	}
	byPolicy := sign(vector, "ed25519:policy_server")
	code, out, _ := f.run(byPolicy, "verify", "--room-version", "11", "--keys", "keys")
	require.Equal(t, roomtool.ExitFailed, code)
	require.Contains(t, out, "no signature of domain")
	out = f.must(t, sign(byPolicy, "ed25519:1"), "verify", "--room-version", "11", "--keys", "keys")
	require.Contains(t, out, "invalid      domain ed25519:policy_server")
}
