//go:build goolm

// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"touchstone.example/tests/harness"
)

// awaitTimeout bounds a wait. A long poll is answered within thirty seconds.
const awaitTimeout = 45 * time.Second

// A device is a client that encrypts, decrypts and syncs all the time.
type device struct {
	*mautrix.Client
	mach *crypto.OlmMachine

	mu        sync.Mutex
	changed   chan struct{} // closed and made anew with each event
	events    []*event.Event
	undecoded []error
}

// login logs in on a new device of an account. What the device syncs begins now.
func login(t *testing.T, s *harness.Server, user, name string) *device {
	t.Helper()
	ctx := t.Context()
	cli, err := mautrix.NewClient(s.URL(), "", "")
	require.NoError(t, err)
	cli.Client = &http.Client{Transport: s.Transport(t)}
	_, err = cli.Login(ctx, &mautrix.ReqLogin{
		Type:             mautrix.AuthTypePassword,
		Identifier:       mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: user},
		Password:         harness.Password,
		DeviceID:         id.DeviceID(name),
		StoreCredentials: true,
	})
	require.NoError(t, err)
	d := &device{Client: cli, changed: make(chan struct{})}
	states := mautrix.NewMemoryStateStore()
	cli.StateStore = states
	log := zerolog.Nop()
	d.mach = crypto.NewOlmMachine(cli, &log, crypto.NewMemoryStore(nil), states.(crypto.StateStore))
	d.mach.ShareKeysMinTrust = id.TrustStateUnset
	d.mach.SendKeysMinTrust = id.TrustStateUnset
	cli.Crypto = helper{d}
	require.NoError(t, d.mach.Load(ctx))
	require.NoError(t, d.mach.ShareKeys(ctx, -1))
	syncer := mautrix.NewDefaultSyncer()
	syncer.OnSync(d.mach.ProcessSyncResponse)
	syncer.OnEvent(cli.StateStoreSyncHandler)
	syncer.OnEventType(event.StateMember, d.mach.HandleMemberEvent)
	syncer.OnEvent(d.receive)
	cli.Syncer = syncer
	return d
}

// sync lets the device sync until the test ends.
func (d *device) sync(t *testing.T) {
	syncing, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := d.SyncWithContext(syncing)
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, mautrix.MUnknownToken) {
			t.Errorf("sync of %s on %s: %v", d.UserID, d.DeviceID, err)
		}
	}()
	t.Cleanup(func() { stop(); <-done })
}

// receive decrypts what comes encrypted and keeps everything.
func (d *device) receive(ctx context.Context, e *event.Event) {
	if e.Type == event.EventEncrypted {
		decrypted, err := d.decrypt(ctx, e)
		if err != nil {
			d.mu.Lock()
			d.undecoded = append(d.undecoded, err)
			d.mu.Unlock()
			return
		}
		e = decrypted
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
	close(d.changed)
	d.changed = make(chan struct{})
}

// decrypt waits for the session of an event, which may come after it.
func (d *device) decrypt(ctx context.Context, e *event.Event) (*event.Event, error) {
	out, err := d.mach.DecryptMegolmEvent(ctx, e)
	if !errors.Is(err, crypto.ErrNoSessionFound) {
		return out, err
	}
	c := e.Content.AsEncrypted()
	if !d.mach.WaitForSession(ctx, e.RoomID, c.SenderKey, c.SessionID, 5*time.Second) {
		return nil, err
	}
	return d.mach.DecryptMegolmEvent(ctx, e)
}

// await returns the first event that has arrived, or arrives, and is the one.
func (d *device) await(t *testing.T, what string, is func(*event.Event) bool) *event.Event {
	t.Helper()
	timeout := time.After(awaitTimeout)
	for seen := 0; ; {
		d.mu.Lock()
		events, changed, failed := d.events[seen:], d.changed, d.undecoded
		seen = len(d.events)
		d.mu.Unlock()
		for _, e := range events {
			if is(e) {
				return e
			}
		}
		select {
		case <-changed:
		case <-timeout:
			require.Fail(t, "never came", "%s, to %s on %s; not decrypted: %v", what, d.UserID, d.DeviceID, failed)
		}
	}
}

// awaitText returns once a decrypted message has arrived.
func (d *device) awaitText(t *testing.T, text string) {
	t.Helper()
	d.await(t, text, func(e *event.Event) bool {
		return e.Type == event.EventMessage && e.Content.AsMessage().Body == text
	})
}

// say sends an encrypted message.
func (d *device) say(t *testing.T, room id.RoomID, text string) {
	t.Helper()
	_, err := d.SendText(t.Context(), room, text)
	require.NoError(t, err)
}

// requireAllDecrypted fails where an event could not be decrypted.
func (d *device) requireAllDecrypted(t *testing.T) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	require.Empty(t, d.undecoded, "%s on %s", d.UserID, d.DeviceID)
}

// helper is what mautrix's client asks of encryption.
type helper struct{ d *device }

func (h helper) Init(context.Context) error { return nil }

func (h helper) Encrypt(ctx context.Context, room id.RoomID, kind event.Type, content any) (*event.EncryptedEventContent, error) {
	out, err := h.d.mach.EncryptMegolmEvent(ctx, room, kind, content)
	if !errors.Is(err, crypto.ErrSessionExpired) && !errors.Is(err, crypto.ErrSessionNotShared) && !errors.Is(err, crypto.ErrNoGroupSession) {
		return out, err
	}
	members, err := h.d.JoinedMembers(ctx, room)
	if err != nil {
		return nil, err
	}
	var users []id.UserID
	for user := range members.Joined {
		users = append(users, user)
	}
	if err := h.d.mach.ShareGroupSession(ctx, room, users); err != nil {
		return nil, err
	}
	return h.d.mach.EncryptMegolmEvent(ctx, room, kind, content)
}

func (h helper) Decrypt(ctx context.Context, e *event.Event) (*event.Event, error) {
	return h.d.mach.DecryptMegolmEvent(ctx, e)
}

func (h helper) WaitForSession(ctx context.Context, room id.RoomID, sender id.SenderKey, session id.SessionID, timeout time.Duration) bool {
	return h.d.mach.WaitForSession(ctx, room, sender, session, timeout)
}

func (h helper) RequestSession(ctx context.Context, room id.RoomID, sender id.SenderKey, session id.SessionID, user id.UserID, dev id.DeviceID) {
	_ = h.d.mach.SendRoomKeyRequest(ctx, room, sender, session, "", map[id.UserID][]id.DeviceID{user: {dev}})
}
