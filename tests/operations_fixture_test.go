// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"net/url"
	"strings"
	"testing"

	"touchstone.example/tests/bodygen"
	"touchstone.example/tests/fakeidentity"
	"touchstone.example/tests/harness"
)

// An operationFixture is the data that the requests of one operation refer to:
// alice, who sends them, bob and carol, and rooms with some events.
type operationFixture struct {
	alice, bob, carol *harness.User
	room              string // alice's; bob is in it, carol is not
	event             string // alice's message there
	paths, query      map[string]string
	body              map[string]any // by place; "" is the whole body
	want              int            // the status, where success is another
}

// newOperationFixture makes the data that all operations need, and then what this
// one needs in addition.
func newOperationFixture(t *testing.T, s *harness.Server, is *fakeidentity.Server, operation string) *operationFixture {
	u := s.Users(t, "alice", "bob", "carol")
	w := &operationFixture{alice: u[0], bob: u[1], carol: u[2]}
	w.room = w.alice.PublicRoom(t, w.bob)
	w.event = w.alice.Send(t, w.room, "hello")
	w.paths = map[string]string{
		"roomId": w.room, "eventId": w.event, "userId": w.alice.ID, "deviceId": w.alice.Device, "roomIdOrAlias": w.room,
		"eventType": "org.example.test", "stateKey": "", "txnId": s.Unique("txn"), "keyName": "displayname", "type": "org.example.test",
		"roomAlias": "#" + s.Unique("alias") + ":hs1", "serverName": "hs1", "kind": "override", "ruleId": ".m.rule.master",
		"receiptType": "m.read", "relType": "m.thread",
	}
	w.query = map[string]string{}
	w.body = map[string]any{
		"user_id": w.bob.ID, "room_version": "12", "invite/0": w.bob.ID, "creation_content": map[string]any{},
		"power_level_content_override": map[string]any{}, "initial_state/0/state_key": "", "event_id": w.event, "room_id": w.room,
	}
	for name, v := range is.Ask("email", "somebody@example.org") {
		w.body["invite_3pid/0/"+name] = v
		if operation == "inviteBy3PID" {
			w.body[name] = v
		}
	}
	if set := preparations[operation]; set != nil {
		set(t, w)
	}
	return w
}

// preparations make what an operation needs in addition to the common data.
var preparations = map[string]func(t *testing.T, w *operationFixture){
	"login": func(t *testing.T, w *operationFixture) {
		w.body["type"], w.body["password"] = "m.login.password", harness.Password
		w.body[""] = map[string]any{"type": "m.login.password", "password": harness.Password,
			"identifier": map[string]any{"type": "m.id.user", "user": w.alice.ID}}
	},
	"register": func(t *testing.T, w *operationFixture) {
		w.body[""] = map[string]any{"username": w.alice.Server.Unique("new"), "password": harness.Password}
	},
	"getKeysChanges": func(t *testing.T, w *operationFixture) {
		w.query["from"], w.query["to"] = w.alice.Since(t), w.alice.Since(t)
	},
	"getRoomStateWithKey": func(_ *testing.T, w *operationFixture) { w.paths["eventType"] = "m.room.create" },
	"getProfileField":     setName,
	"deleteProfileField":  setName,
	"setProfileField": func(_ *testing.T, w *operationFixture) {
		w.body[""] = map[string]any{"displayname": "Alice"}
	},
	"joinRoom":     joinable,
	"joinRoomById": joinable,
	"knockRoom": func(t *testing.T, w *operationFixture) {
		room := w.bob.CreateRoom(t, harness.O{"initial_state": []harness.O{
			{"type": "m.room.join_rules", "state_key": "", "content": harness.O{"join_rule": "knock"}}}})
		w.paths["roomIdOrAlias"] = room
	},
	"forgetRoom": func(t *testing.T, w *operationFixture) { w.alice.Leave(t, w.room) },
	"inviteUser": func(_ *testing.T, w *operationFixture) { w.body["user_id"] = w.carol.ID },
	"unban":      func(t *testing.T, w *operationFixture) { w.alice.Ban(t, w.room, w.bob) },
	"getFilter": func(t *testing.T, w *operationFixture) {
		made := w.alice.Post(t, harness.Path("v3/user/{}/filter", w.alice.ID), harness.O{})
		w.paths["filterId"] = made.At("filter_id").String()
	},
	"getWellknownPolicy":  func(_ *testing.T, w *operationFixture) { w.want = 404 }, // it is no policy server
	"getWellknownSupport": func(_ *testing.T, w *operationFixture) { w.want = 404 }, // it names no contacts
	"deleteDevices":       func(_ *testing.T, w *operationFixture) { w.body["devices"] = []any{w.alice.Device} },
	"getAccountData": func(t *testing.T, w *operationFixture) {
		w.alice.Put(t, harness.Path("v3/user/{}/account_data/org.example.test", w.alice.ID), harness.O{})
	},
	"getAccountDataPerRoom": func(t *testing.T, w *operationFixture) {
		w.alice.Put(t, harness.Path("v3/user/{}/rooms/{}/account_data/org.example.test", w.alice.ID, w.room), harness.O{})
	},
	"postReceipt": func(_ *testing.T, w *operationFixture) { w.body["thread_id"] = "main" },
	"setReadMarker": func(_ *testing.T, w *operationFixture) {
		w.body["m.fully_read"], w.body["m.read"], w.body["m.read.private"] = w.event, w.event, w.event
	},
	"setPushRule": func(_ *testing.T, w *operationFixture) { w.paths["ruleId"] = "mine" },

	"deletePushRule": func(t *testing.T, w *operationFixture) {
		w.paths["ruleId"] = "mine"
		w.alice.Put(t, harness.Path("v3/pushrules/global/override/mine"), harness.O{"actions": []any{}})
	},
	"deleteRoomKeys":            backup,
	"deleteRoomKeysByRoomId":    backup,
	"deleteRoomKeyBySessionId":  backup,
	"deleteRoomKeysVersion":     backup,
	"getRoomKeys":               backup,
	"getRoomKeysByRoomId":       backup,
	"getRoomKeyBySessionId":     backup,
	"getRoomKeysVersion":        backup,
	"getRoomKeysVersionCurrent": backup,
	"putRoomKeys":               backup,
	"putRoomKeysByRoomId":       backup,
	"putRoomKeyBySessionId":     backup,
	"putRoomKeysVersion":        backup,
	"exchangeOpenIdToken": func(t *testing.T, w *operationFixture) {
		w.query["access_token"] = w.alice.Post(t, harness.Path("v3/user/{}/openid/request_token", w.alice.ID), harness.O{}).At("access_token").String()
	},
}

// backup makes a key backup with a key.
func backup(t *testing.T, w *operationFixture) {
	const algorithm = "m.megolm_backup.v1.curve25519-aes-sha2"
	version := w.alice.Post(t, "/_matrix/client/v3/room_keys/version", harness.O{"algorithm": algorithm, "auth_data": harness.O{}}).At("version").String()
	w.paths["version"], w.paths["sessionId"], w.query["version"] = version, "session", version
	w.body["algorithm"], w.body["version"] = algorithm, version
	w.alice.Put(t, harness.Path("v3/room_keys/keys/{}/session", w.room)+harness.Query("version", version), harness.O{
		"first_message_index": 1, "forwarded_count": 0, "is_verified": true, "session_data": harness.O{},
	})
}

func setName(t *testing.T, w *operationFixture) {
	w.alice.Put(t, harness.Path("v3/profile/{}/displayname", w.alice.ID), harness.O{"displayname": "Alice"})
}

func joinable(t *testing.T, w *operationFixture) {
	room := w.bob.PublicRoom(t)
	w.paths["roomId"], w.paths["roomIdOrAlias"] = room, room
}

func (w *operationFixture) pathValue(name string) string {
	if v, ok := w.paths[name]; ok {
		return v
	}
	return "text"
}

func (w *operationFixture) queryValue(p bodygen.Param) string {
	if v, ok := w.query[p.Name]; ok {
		return v
	}
	switch {
	case p.Name == "user_id":
		return w.bob.ID
	case p.Name == "username":
		return w.alice.Server.Unique("free")
	case len(p.Schema.Enum) > 0:
		return p.Schema.Enum[0]
	case p.Schema.Is("string"):
		return bodygen.Text(p.Schema.Format)
	}
	return "1"
}

func (w *operationFixture) bodyValue(place string, s *bodygen.Schema) (any, bool) {
	if v, ok := w.body[place]; ok {
		return v, true
	}
	if s.Format == "mx-user-id" {
		return w.bob.ID, true
	}
	return nil, false
}

// escape writes a path segment.
func escape(v string) string { return strings.ReplaceAll(url.PathEscape(v), "+", "%2B") }
