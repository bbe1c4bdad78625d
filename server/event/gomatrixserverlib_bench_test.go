// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	gmsl "github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/spec"
	"github.com/stretchr/testify/require"

	"touchstone.example/server/event"
	"touchstone.example/tests/comparebench"
)

// BenchmarkCompare does the same with the same message in both implementations:
// parse it with its hash and ID, build it, add a signature, verify its
// signature, redact it.
func BenchmarkCompare(b *testing.B) {
	const version = "11"
	rules, s, impl := rulesOf(b, version), specSigner(b), gmsl.MustGetRoomVersion(version)
	d := benchDraft(b, version)
	e, err := event.Build(rules, d, s)
	require.NoError(b, err)
	p, err := impl.NewEventFromUntrustedJSON(e.PDU())
	require.NoError(b, err)
	require.Equal(b, p.EventID(), string(e.ID))

	comparebench.Run(b, "read an event, with hash and ID", func() error {
		e, err := event.Parse(rules, e.PDU())
		if err == nil && !e.ContentHashMatches() {
			err = fmt.Errorf("the hash differs")
		}
		return err
	}, func() error {
		p, err := impl.NewEventFromUntrustedJSON(e.PDU())
		if err == nil && p.EventID() == "" {
			err = fmt.Errorf("no ID")
		}
		return err
	})
	comparebench.Run(b, "read an event of ours again", func() error {
		_, err := event.Trusted(rules, e.ID, e.PDU())
		return err
	}, func() error {
		_, err := impl.NewEventFromTrustedJSONWithEventID(string(e.ID), e.PDU(), false)
		return err
	})
	proto := &gmsl.ProtoEvent{
		SenderID: string(d.Sender), RoomID: string(d.RoomID), Type: d.Type, Content: spec.RawJSON(d.Content),
		PrevEvents: strs(d.PrevEvents), AuthEvents: strs(d.AuthEvents), Depth: d.Depth,
	}
	comparebench.Run(b, "make an event, hash and sign", func() error {
		_, err := event.Build(rules, d, s)
		return err
	}, func() error {
		_, err := impl.NewEventBuilderFromProtoEvent(proto).Build(time.UnixMilli(d.OriginServerTS), spec.ServerName(s.Name), gmsl.KeyID(s.KeyID), s.Key)
		return err
	})
	other := otherSigner()
	comparebench.Run(b, "sign an event once more", func() error {
		_, err := e.Sign(other)
		return err
	}, func() error {
		p.Sign(string(other.Name), gmsl.KeyID(other.KeyID), other.Key)
		return nil
	})
	comparebench.Run(b, "- of that, ed25519 signs", func() error { ed25519.Sign(s.Key, e.PDU()); return nil }, nil)
	besideVerify(b, e, s, impl)
}

func besideVerify(b *testing.B, e *event.Event, s event.Signer, impl gmsl.IRoomVersion) {
	key := publicKey(s)
	comparebench.Run(b, "verify a signature", func() error {
		return e.VerifySignature(s.Name, s.KeyID, key)
	}, func() error {
		redacted, err := impl.RedactEventJSON(e.PDU())
		if err != nil {
			return err
		}
		return gmsl.VerifyJSON(string(s.Name), gmsl.KeyID(s.KeyID), key, redacted)
	})
	signature := ed25519.Sign(s.Key, e.PDU())
	comparebench.Run(b, "- of that, ed25519 verifies", func() error {
		if !ed25519.Verify(key, e.PDU(), signature) {
			return fmt.Errorf("it does not hold")
		}
		return nil
	}, nil)
	comparebench.Run(b, "redact an event", func() error {
		e.Redact()
		return nil
	}, func() error {
		_, err := impl.RedactEventJSON(e.PDU())
		return err
	})
}
