// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/event"
)

const benchContent = `{"body":"This is an example text message","format":"org.matrix.custom.html","formatted_body":"<b>This is an example text message</b>","m.mentions":{"user_ids":["@alice:one.example"]},"msgtype":"m.text"}`

func benchDraft(b *testing.B, version string) event.Draft {
	d := fill(rulesOf(b, version), event.Draft{Type: "m.room.message", Content: []byte(benchContent)})
	d.PrevEvents = append(d.PrevEvents, hashA, hashB)
	d.AuthEvents = append(d.AuthEvents, hashA, hashB)
	return d
}

func BenchmarkParse(b *testing.B) {
	rules := rulesOf(b, "12")
	e, err := event.Build(rules, benchDraft(b, "12"), specSigner(b))
	require.NoError(b, err)
	for b.Loop() {
		if _, err := event.Parse(rules, e.PDU()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTrusted(b *testing.B) {
	rules := rulesOf(b, "12")
	e, err := event.Build(rules, benchDraft(b, "12"), specSigner(b))
	require.NoError(b, err)
	for b.Loop() {
		if _, err := event.Trusted(rules, e.ID, e.PDU()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	rules, d, s := rulesOf(b, "12"), benchDraft(b, "12"), specSigner(b)
	for b.Loop() {
		if _, err := event.Build(rules, d, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkContentHashMatches(b *testing.B) {
	e, err := event.Build(rulesOf(b, "12"), benchDraft(b, "12"), specSigner(b))
	require.NoError(b, err)
	for b.Loop() {
		if !e.ContentHashMatches() {
			b.Fatal("it does not")
		}
	}
}

func BenchmarkVerifySignature(b *testing.B) {
	s := specSigner(b)
	e, err := event.Build(rulesOf(b, "12"), benchDraft(b, "12"), s)
	require.NoError(b, err)
	key := publicKey(s)
	for b.Loop() {
		if err := e.VerifySignature(s.Name, s.KeyID, key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRedact(b *testing.B) {
	e, err := event.Build(rulesOf(b, "12"), benchDraft(b, "12"), specSigner(b))
	require.NoError(b, err)
	for b.Loop() {
		e.Redact()
	}
}

func BenchmarkClientJSON(b *testing.B) {
	e, err := event.Build(rulesOf(b, "12"), benchDraft(b, "12"), specSigner(b))
	require.NoError(b, err)
	var buf []byte
	for b.Loop() {
		buf = e.AppendClientJSON(buf[:0])
	}
}
