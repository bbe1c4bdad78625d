// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/event"
	"touchstone.example/tests/upstream"
)

// Spec: appendices "Unpadded Base64", "URL-safe unpadded Base64".
func TestBase64Examples(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "f": "Zg", "fo": "Zm8", "foo": "Zm9v", "foob": "Zm9vYg", "fooba": "Zm9vYmE", "foobar": "Zm9vYmFy",
	} {
		require.Equal(t, want, event.EncodeBase64([]byte(text)))
		padded := base64.StdEncoding.EncodeToString([]byte(text))
		for _, form := range []string{want, padded} { // "SHOULD accept input with or without padding"
			got, err := event.DecodeBase64(form)
			require.NoError(t, err)
			require.Equal(t, text, string(got))
		}
	}
	all := make([]byte, 0, 48)
	for i := range 16 { // each of the 64 characters once
		n := 4 * i
		all = append(all, byte(n<<2|(n+1)>>4), byte((n+1)<<4|(n+2)>>2), byte((n+2)<<6|(n+3)))
	}
	require.Equal(t, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", event.EncodeBase64(all))
	_, err := event.DecodeBase64("-_-_")
	require.Error(t, err, "that is the other alphabet")
}

// The example of "Signing Details" shows the structure of a signed object. Its
// signature is a placeholder: the key beside it did not make it.
//
// Spec: appendices "Signing Details", "Checking for a Signature".
func TestTheExampleOfASignedObject(t *testing.T) {
	const unsigned = `{"name":"example.org","signing_keys":{"ed25519:1":"XSl0kuyvrXNj6A+7/tkrB9sxSbRi08Of5uRhxOqZtEQ"},"unsigned":{"age_ts":922834800000}}`
	s := specSigner(t)
	s.Name = "example.org"
	signed, err := event.SignJSON([]byte(unsigned), s)
	require.NoError(t, err)
	require.NoError(t, event.VerifyJSON(signed, "example.org", "ed25519:1", publicKey(s)))

	var got map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(signed, &got))
	var signatures map[string]map[string]string
	require.NoError(t, json.Unmarshal(got["signatures"], &signatures))
	require.Len(t, signatures["example.org"]["ed25519:1"], 86)
	require.JSONEq(t, `{"age_ts":922834800000}`, string(got["unsigned"]))

	example := []byte(`{"name":"example.org","signing_keys":{"ed25519:1":"XSl0kuyvrXNj6A+7/tkrB9sxSbRi08Of5uRhxOqZtEQ"},` +
		`"unsigned":{"age_ts":922834800000},"signatures":{"example.org":{` +
		`"ed25519:1":"s76RUgajp8w172am0zQb/iPTHsRnb4SkrzGoeCOSFfcBY2V/1c8QfrmdXHpvnc2jK5BD1WiJIxiMW95fMjK7Bw"}}}`)
	key, err := event.DecodeBase64("XSl0kuyvrXNj6A+7/tkrB9sxSbRi08Of5uRhxOqZtEQ")
	require.NoError(t, err)
	require.ErrorIs(t, event.VerifyJSON(example, "example.org", "ed25519:1", key), event.ErrSignature)
}

// TestEventIDsOfTheExamples parses the event IDs that examples of the room
// version documents refer to.
//
// Spec: room version 1 "Event IDs"; room versions 3 and 4, the introductions
// and "Event IDs".
func TestEventIDsOfTheExamples(t *testing.T) {
	for _, tc := range []struct{ span, id string }{
		{"3", "$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk"},
		{"3-12", "$CD66HAED5npg6074c6pDtLKalHjVfYb2q4Q3LZgrW6o"},
		{"4-12", "$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg"},
	} {
		for _, rules := range versions(t, tc.span) {
			sent := sample(rules)
			sent["prev_events"] = []any{tc.id}
			e, err := event.Parse(rules, marshal(t, sent))
			require.NoError(t, err, "version %s", rules.Version)
			require.Equal(t, []string{tc.id}, strs(e.PrevEvents))
		}
	}
	for _, rules := range versions(t, "1-2") {
		sent := sample(rules)
		sent["event_id"] = "$randomstring:example.org"
		e, err := event.Parse(rules, marshal(t, sent))
		require.NoError(t, err)
		require.EqualValues(t, "$randomstring:example.org", e.ID)
	}
}

// TestTheExamplesOfEventFormats reads the examples from a checkout of the
// specification; they are not copied here.
func TestTheExamplesOfEventFormats(t *testing.T) {
	from := filepath.Join(upstream.Root(t, "read its examples of events"), "data", "api", "server-server", "examples")
	for _, tc := range []struct{ file, span string }{
		{"pdu_v1.json", "1-2"}, {"pdu_v3.json", "3"}, {"pdu_v4.json", "4-10"}, {"pdu_v11.json", "11"}, {"pdu_v12.json", "12"},
		{"pdu_v4_join_membership.json", "4-11"},
	} {
		example := readExample(t, filepath.Join(from, tc.file))
		for _, rules := range versions(t, tc.span) {
			e, err := event.Parse(rules, marshal(t, example))
			require.NoError(t, err, "%s in version %s", tc.file, rules.Version)
			require.EqualValues(t, "@alice:example.com", e.Sender)
			require.EqualValues(t, 12, e.Depth)
			require.NotEmpty(t, e.AuthEvents)
			require.False(t, e.ContentHashMatches(), "its hash is made up")
			if redacts, ok := example["redacts"]; ok {
				require.Contains(t, string(e.PDU()), redacts.(string))
			}
		}
	}
}

// readExample resolves the references of an example. Members beside a reference
// override those of its target.
func readExample(t *testing.T, path string) map[string]any {
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	var of map[string]any
	require.NoError(t, json.Unmarshal(raw, &of))
	return resolveExample(t, filepath.Dir(path), of)
}

func resolveExample(t *testing.T, folder string, of map[string]any) map[string]any {
	all := map[string]any{}
	if ref, ok := of["$ref"].(string); ok {
		maps.Copy(all, readExample(t, filepath.Join(folder, ref)))
	}
	if parts, ok := of["allOf"].([]any); ok {
		for _, part := range parts {
			maps.Copy(all, resolveExample(t, folder, part.(map[string]any)))
		}
	}
	for name, v := range of {
		if name != "$ref" && name != "allOf" {
			all[name] = v
		}
	}
	return all
}
