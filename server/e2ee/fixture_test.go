// SPDX-License-Identifier: Apache-2.0

package e2ee_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/accounts"
	"touchstone.example/server/clientsync"
	"touchstone.example/server/config"
	"touchstone.example/server/e2ee"
	"touchstone.example/server/event"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

const password = "correct horse battery staple"

// A fixture is keys beside accounts, rooms and sync, on a database of their own.
type fixture struct {
	*slicetest.Fixture
	t       testing.TB
	e2ee    *e2ee.E2EE
	router  *api.Router
	lenient bool // departures are taken
}

func each(t *testing.T, fn func(t *testing.T, f *fixture)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) { fn(t, newFixture(t, db)) })
}

func newFixture(t testing.TB, db *storage.DB) *fixture {
	s := slicetest.New(t, db)
	f := &fixture{Fixture: s, t: t}
	acc := accounts.New(accounts.Deps{
		DB: s.DB, Feed: s.Feed, Env: s.Env, Log: s.Log, Name: slicetest.Name,
		Registration: config.Registration{Enabled: true}, Passwords: config.Passwords{MemoryKiB: 8, Passes: 1, Threads: 1},
	})
	departs := func(context.Context) bool { return f.lenient }
	f.e2ee = e2ee.New(e2ee.Deps{
		DB: s.DB, Feed: s.Feed, Env: s.Env, Log: s.Log, Name: slicetest.Name, Confirm: acc,
		Departures: e2ee.Departures{UnsignedDevice: departs, OtherIdentity: departs, NullList: departs},
	})
	f.router = s.Router(t, api.Config{Auth: api.Authenticators{User: api.TokenAuthenticator(acc.Caller)}, Permit: acc.Permit})
	clientapi.MountRegistration(f.router, acc)
	clientapi.MountLogin(f.router, acc)
	clientapi.MountLogout(f.router, acc)
	clientapi.MountDeviceManagement(f.router, acc)
	roomtest.Mount(f.router, s, nil)
	clientapi.MountKeys(f.router, f.e2ee)
	clientapi.MountCrossSigning(f.router, f.e2ee)
	clientapi.MountSync(f.router, clientsync.New(clientsync.Deps{
		DB: s.DB, Feed: s.Feed, Env: s.Env, Log: s.Log, Stopping: t.Context(), Parts: []syncpart.Part{f.e2ee}, Standing: f.e2ee.Counts(),
	}))
	return f
}

// A device is logged in and has a key.
type device struct {
	f     *fixture
	user  string
	id    string
	token string
	key   ed25519.PrivateKey
}

// keyOf is the key of a name, the same in every run.
func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(key ed25519.PrivateKey) string {
	return base64.RawStdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
}

// register makes an account with a device of the name in upper case.
func (f *fixture) register(name, deviceID string) *device {
	f.t.Helper()
	a := slicetest.OK(f.t, f.router, "POST", slicetest.Path("v3/register"), "", slicetest.O{
		"username": name, "password": password, "device_id": deviceID, "auth": slicetest.O{"type": "m.login.dummy"},
	})
	return &device{f, a.At("user_id"), deviceID, a.At("access_token"), keyOf(name + deviceID)}
}

// login logs in with another device.
func (d *device) login(deviceID string) *device {
	d.f.t.Helper()
	a := slicetest.OK(d.f.t, d.f.router, "POST", slicetest.Path("v3/login"), "", slicetest.O{
		"type": "m.login.password", "password": password, "device_id": deviceID,
		"identifier": slicetest.O{"type": "m.id.user", "user": d.user},
	})
	return &device{d.f, d.user, deviceID, a.At("access_token"), keyOf(d.user + deviceID)}
}

func (d *device) do(method, path string, body any) slicetest.Answer {
	d.f.t.Helper()
	return slicetest.Do(d.f.t, d.f.router, method, path, d.token, body)
}

func (d *device) ok(method, path string, body any) slicetest.Answer {
	d.f.t.Helper()
	return slicetest.OK(d.f.t, d.f.router, method, path, d.token, body)
}

// sign adds a signature of a user's to an object.
func sign(t testing.TB, obj any, user, keyID string, key ed25519.PrivateKey) slicetest.O {
	t.Helper()
	b, err := json.Marshal(obj)
	require.NoError(t, err)
	b, err = event.SignJSON(b, event.Signer{Name: id.ServerName(user), KeyID: id.KeyID(keyID), Key: key})
	require.NoError(t, err)
	var out slicetest.O
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

// unsigned are the device's keys before it has signed them.
func (d *device) unsigned() slicetest.O {
	return slicetest.O{
		"user_id": d.user, "device_id": d.id, "algorithms": slicetest.L{"m.olm.v1.curve25519-aes-sha2"},
		"keys":       slicetest.O{"ed25519:" + d.id: public(d.key), "curve25519:" + d.id: public(keyOf("curve" + d.id))},
		"signatures": slicetest.O{},
	}
}

// keys are the device's keys, signed.
func (d *device) keys() slicetest.O {
	return sign(d.f.t, d.unsigned(), d.user, "ed25519:"+d.id, d.key)
}

// oneTime are one-time keys by their names.
func (d *device) oneTime(names ...string) slicetest.O {
	out := slicetest.O{}
	for _, name := range names {
		out["signed_curve25519:"+name] = sign(d.f.t, slicetest.O{"key": public(keyOf(d.id + name))}, d.user, "ed25519:"+d.id, d.key)
	}
	return out
}

var pathUpload = slicetest.Path("v3/keys/upload")

// upload uploads keys and returns the answer.
func (d *device) upload(body slicetest.O) slicetest.Answer {
	d.f.t.Helper()
	return d.ok("POST", pathUpload, body)
}

// query asks for the keys of users.
func (d *device) query(users ...string) slicetest.Answer {
	d.f.t.Helper()
	of := slicetest.O{}
	for _, user := range users {
		of[user] = slicetest.L{}
	}
	return d.ok("POST", slicetest.Path("v3/keys/query"), slicetest.O{"device_keys": of})
}

// claim claims one key of another device and returns it by its name.
func (d *device) claim(of *device) string {
	d.f.t.Helper()
	a := d.ok("POST", slicetest.Path("v3/keys/claim"), slicetest.O{
		"one_time_keys": slicetest.O{of.user: slicetest.O{of.id: "signed_curve25519"}},
	})
	return a.At("one_time_keys", of.user, of.id)
}

// one is a single key as it comes back.
func one(t testing.TB, keys slicetest.O, name string) string {
	t.Helper()
	b, err := json.Marshal(slicetest.O{name: keys[name]}, json.Deterministic(true))
	require.NoError(t, err)
	return string(b)
}

func count(n int) string { return fmt.Sprintf(`{"signed_curve25519":%d}`, n) }

// sync syncs after a token, "" for none.
func (d *device) sync(since string) slicetest.Answer {
	d.f.t.Helper()
	path := slicetest.Path("v3/sync?timeout=0")
	if since != "" {
		path += slicetest.Query("since", since)
	}
	return d.ok("GET", path, nil)
}

// room makes a room that these join.
func (d *device) room(members ...*device) string {
	d.f.t.Helper()
	room := d.ok("POST", slicetest.Path("v3/createRoom"), slicetest.O{"preset": "public_chat"}).At("room_id")
	for _, m := range members {
		m.join(room)
	}
	return room
}

func (d *device) join(room string) {
	d.f.t.Helper()
	d.ok("POST", slicetest.Path("v3/rooms/{}/join", room), slicetest.O{})
}

func (d *device) leave(room string) {
	d.f.t.Helper()
	d.ok("POST", slicetest.Path("v3/rooms/{}/leave", room), slicetest.O{})
}
