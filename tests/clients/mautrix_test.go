//go:build goolm

// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/backup"
	"maunium.net/go/mautrix/crypto/signatures"
	"maunium.net/go/mautrix/crypto/verificationhelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"touchstone.example/tests/harness"
)

// TestEncryptedConversation is two people with two devices each, who encrypt,
// verify, back their keys up, and come with a device more.
func TestEncryptedConversation(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	alice, bob := register(t, s, "alice"), register(t, s, "bob")
	a1, a2 := login(t, s, alice, "PHONE"), login(t, s, alice, "LAPTOP")
	b1, b2 := login(t, s, bob, "PHONE"), login(t, s, bob, "TABLET")
	recovery := crossSign(t, a1)
	crossSign(t, b1)
	all := []*device{a1, a2, b1, b2}
	for _, d := range all {
		d.sync(t)
	}
	room := createEncrypted(t, a1, b1.UserID)
	b1.await(t, "the invitation", func(e *event.Event) bool {
		return e.Type == event.StateMember && e.RoomID == room && e.GetStateKey() == b1.UserID.String()
	})
	_, err := b1.JoinRoomByID(t.Context(), room)
	require.NoError(t, err)
	for _, d := range all {
		d.await(t, "bob's join", func(e *event.Event) bool {
			return e.Type == event.StateMember && e.RoomID == room && e.GetStateKey() == b1.UserID.String() &&
				e.Content.AsMember().Membership == event.MembershipJoin
		})
	}
	for i, d := range all {
		text := fmt.Sprintf("message %d", i)
		d.say(t, room, text)
		for _, reader := range all {
			reader.awaitText(t, text)
		}
	}

	t.Run("a device is verified by the recovery key", func(t *testing.T) {
		require.NoError(t, a2.mach.VerifyWithRecoveryKey(t.Context(), recovery))
		own, err := a1.mach.GetOrFetchDevice(t.Context(), a1.UserID, a2.DeviceID)
		require.NoError(t, err)
		requireTrusted(t, a1, own)
	})
	t.Run("two people verify each other by short strings", func(t *testing.T) { verifyBySAS(t, a1, b1) })
	t.Run("a device that joins later reads what comes", func(t *testing.T) {
		b3 := login(t, s, bob, "LATE")
		b3.sync(t)
		for _, d := range []*device{a1, a2, b1} {
			require.Eventually(t, func() bool {
				own, err := d.mach.CryptoStore.GetDevice(t.Context(), b1.UserID, b3.DeviceID)
				return err == nil && own != nil
			}, awaitTimeout, tick, "the new device is told to %s", d.DeviceID)
		}
		a1.say(t, room, "welcome")
		b3.awaitText(t, "welcome")
		b3.requireAllDecrypted(t)
	})
	t.Run("keys come back from the backup", func(t *testing.T) { backUp(t, s, room, a1, alice) })
	for _, d := range all {
		d.requireAllDecrypted(t)
	}
}

// TestManyEncryptedMessages sends a thousand messages while devices come and go.
func TestManyEncryptedMessages(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	alice, bob := register(t, s, "alice"), register(t, s, "bob")
	a, b := login(t, s, alice, "PHONE"), login(t, s, bob, "PHONE")
	a.sync(t)
	b.sync(t)
	room := createEncrypted(t, a, b.UserID)
	_, err := b.JoinRoomByID(t.Context(), room)
	require.NoError(t, err)
	isJoin := func(e *event.Event) bool {
		return e.Type == event.StateMember && e.GetStateKey() == b.UserID.String() && e.Content.AsMember().Membership == event.MembershipJoin
	}
	a.await(t, "bob's join", isJoin)
	b.await(t, "bob's join", isJoin)
	const messages, lives = 1000, 10
	for life := range lives {
		visitor := login(t, s, bob, fmt.Sprintf("VISITOR%d", life))
		visiting, leave := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = visitor.SyncWithContext(visiting) }()
		require.Eventually(t, func() bool {
			d, err := a.mach.CryptoStore.GetDevice(t.Context(), b.UserID, visitor.DeviceID)
			return err == nil && d != nil
		}, awaitTimeout, tick)
		for i := range messages / lives {
			from := []*device{a, b}[i%2]
			from.say(t, room, fmt.Sprintf("%d of life %d", i, life))
		}
		last := fmt.Sprintf("%d of life %d", messages/lives-1, life)
		for _, d := range []*device{a, b, visitor} {
			d.awaitText(t, last)
		}
		visitor.requireAllDecrypted(t)
		leave()
		<-done
		_, err := visitor.Logout(t.Context())
		require.NoError(t, err)
	}
	a.requireAllDecrypted(t)
	b.requireAllDecrypted(t)
}

// tick is how often a condition is looked at.
const tick = 20 * time.Millisecond

func register(t *testing.T, s *harness.Server, name string) string {
	t.Helper()
	cli, err := mautrix.NewClient(s.URL(), "", "")
	require.NoError(t, err)
	cli.Client.Transport = s.Transport(t)
	name = s.Unique(name)
	_, err = cli.RegisterDummy(t.Context(), &mautrix.ReqRegister[any]{Username: name, Password: harness.Password, InhibitLogin: true})
	require.NoError(t, err)
	return name
}

// crossSign makes the account's cross-signing keys and signs the device.
func crossSign(t *testing.T, d *device) (recoveryKey string) {
	t.Helper()
	key, _, err := d.mach.GenerateAndUploadCrossSigningKeysWithPassword(t.Context(), harness.Password, "")
	require.NoError(t, err)
	require.NoError(t, d.mach.SignOwnDevice(t.Context(), d.mach.OwnIdentity()))
	require.NoError(t, d.mach.SignOwnMasterKey(t.Context()))
	return key
}

func createEncrypted(t *testing.T, d *device, invited id.UserID) id.RoomID {
	t.Helper()
	key := ""
	made, err := d.CreateRoom(t.Context(), &mautrix.ReqCreateRoom{
		Preset: "private_chat", Invite: []id.UserID{invited}, IsDirect: true,
		InitialState: []*event.Event{{
			Type: event.StateEncryption, StateKey: &key,
			Content: event.Content{Parsed: &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}},
		}},
	})
	require.NoError(t, err)
	d.await(t, "the room's encryption", func(e *event.Event) bool { return e.Type == event.StateEncryption && e.RoomID == made.RoomID })
	return made.RoomID
}

func requireTrusted(t *testing.T, d *device, other *id.Device) {
	t.Helper()
	trust, err := d.mach.ResolveTrustContext(t.Context(), other)
	require.NoError(t, err)
	require.GreaterOrEqual(t, trust, id.TrustStateCrossSignedUntrusted, "%s as %s sees it", other.DeviceID, d.DeviceID)
}

// backUp stores a device's session in a new backup and reads it on a fresh device.
func backUp(t *testing.T, s *harness.Server, room id.RoomID, d *device, user string) {
	ctx := t.Context()
	d.say(t, room, "to be kept")
	key, err := backup.NewMegolmBackupKey()
	require.NoError(t, err)
	auth := backup.MegolmAuthData{PublicKey: id.Ed25519(base64.RawStdEncoding.EncodeToString(key.PublicKey().Bytes()))}
	signature, err := d.mach.GetAccount().SignJSON(map[string]any{"public_key": auth.PublicKey})
	require.NoError(t, err)
	auth.Signatures = signatures.NewSingleSignature(d.UserID, id.KeyAlgorithmEd25519, d.DeviceID.String(), signature)
	version, err := d.CreateKeyBackupVersion(ctx, &mautrix.ReqRoomKeysVersionCreate[backup.MegolmAuthData]{
		Algorithm: id.KeyBackupAlgorithmMegolmBackupV1, AuthData: auth,
	})
	require.NoError(t, err)
	sessions, err := d.mach.CryptoStore.GetGroupSessionsForRoom(ctx, room).AsList()
	require.NoError(t, err)
	require.NotEmpty(t, sessions)
	stored := map[id.SessionID]mautrix.ReqKeyBackupData{}
	for _, session := range sessions {
		exported, err := session.Internal.Export(session.Internal.FirstKnownIndex())
		require.NoError(t, err)
		data, err := backup.EncryptSessionData(key, backup.MegolmSessionData{
			Algorithm: id.AlgorithmMegolmV1, SenderKey: session.SenderKey, SessionKey: string(exported),
			SenderClaimedKeys: backup.SenderClaimedKeys{Ed25519: session.SigningKey},
		})
		require.NoError(t, err)
		encoded, err := json.Marshal(data)
		require.NoError(t, err)
		stored[session.ID()] = mautrix.ReqKeyBackupData{FirstMessageIndex: int(session.Internal.FirstKnownIndex()), SessionData: encoded}
	}
	put, err := d.PutKeysInBackup(ctx, version.Version, &mautrix.ReqKeyBackup{Rooms: map[id.RoomID]mautrix.ReqRoomKeyBackup{room: {Sessions: stored}}})
	require.NoError(t, err)
	require.Equal(t, len(stored), put.Count)

	fresh := login(t, s, user, "RESTORED")
	got, err := fresh.mach.DownloadAndStoreLatestKeyBackup(ctx, key)
	require.NoError(t, err)
	require.Equal(t, version.Version, got)
	restored, err := fresh.mach.CryptoStore.GetGroupSessionsForRoom(ctx, room).AsList()
	require.NoError(t, err)
	require.Len(t, restored, len(sessions))
}

// verifyBySAS lets two people compare short strings, and sign each other's keys.
func verifyBySAS(t *testing.T, from, to *device) {
	a, b := newVerifier(t, from), newVerifier(t, to)
	_, err := a.StartVerification(t.Context(), to.UserID)
	require.NoError(t, err)
	txn := <-b.requested
	require.NoError(t, b.AcceptVerification(t.Context(), txn))
	<-a.ready
	require.NoError(t, a.StartSAS(t.Context(), txn))
	require.Equal(t, <-a.shown, <-b.shown, "both see the same")
	require.NoError(t, a.ConfirmSAS(t.Context(), txn))
	require.NoError(t, b.ConfirmSAS(t.Context(), txn))
	<-a.done
	<-b.done
	require.Eventually(t, func() bool {
		trusted, err := from.mach.IsUserTrusted(t.Context(), to.UserID)
		return err == nil && trusted
	}, awaitTimeout, tick, "%s trusts %s", from.UserID, to.UserID)
}

// A verifier is a device's part in a verification.
type verifier struct {
	*verificationhelper.VerificationHelper
	requested, ready, done chan id.VerificationTransactionID
	shown                  chan string
}

func newVerifier(t *testing.T, d *device) *verifier {
	v := &verifier{shown: make(chan string, 1)}
	v.requested, v.ready, v.done = make(chan id.VerificationTransactionID, 1), make(chan id.VerificationTransactionID, 1), make(chan id.VerificationTransactionID, 1)
	v.VerificationHelper = verificationhelper.NewVerificationHelper(d.Client, d.mach, nil, v, false, false, true)
	require.NoError(t, v.Init(t.Context()))
	return v
}

func (v *verifier) VerificationRequested(_ context.Context, txn id.VerificationTransactionID, _ id.UserID, _ id.DeviceID) {
	v.requested <- txn
}

func (v *verifier) VerificationReady(_ context.Context, txn id.VerificationTransactionID, _ id.DeviceID, _, _ bool, _ *verificationhelper.QRCode) {
	v.ready <- txn
}

func (v *verifier) VerificationCancelled(_ context.Context, _ id.VerificationTransactionID, code event.VerificationCancelCode, reason string) {
	v.shown <- fmt.Sprintf("cancelled: %s %s", code, reason)
}

func (v *verifier) VerificationDone(_ context.Context, txn id.VerificationTransactionID, _ event.VerificationMethod) {
	v.done <- txn
}

func (v *verifier) ShowSAS(_ context.Context, _ id.VerificationTransactionID, emojis []rune, _ []string, decimals []int) {
	v.shown <- fmt.Sprint(emojis, decimals)
}
