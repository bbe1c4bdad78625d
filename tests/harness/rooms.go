// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
)

// CreateRoom makes a room as the body says and returns its id.
func (u *User) CreateRoom(t T, body O) string {
	t.Helper()
	if body == nil {
		body = O{}
	}
	return u.Post(t, Path("v3/createRoom"), body).At("room_id").String()
}

// PublicRoom makes a room that everybody may join, and lets these users join.
func (u *User) PublicRoom(t T, members ...*User) string {
	t.Helper()
	room := u.CreateRoom(t, O{"preset": "public_chat"})
	for _, m := range members {
		m.Join(t, room)
	}
	return room
}

var txns atomic.Int64

// Txn returns a transaction id that was not used before in this run.
func Txn() string { return fmt.Sprintf("t-%d", txns.Add(1)) }

// Text is the content of a text message.
func Text(body string) O { return O{"msgtype": "m.text", "body": body} }

// Send sends a text message and returns its event id.
func (u *User) Send(t T, room, body string) string {
	t.Helper()
	return u.SendEvent(t, room, "m.room.message", Text(body))
}

// SendEvent sends a message event and returns its id.
func (u *User) SendEvent(t T, room, typ string, content any) string {
	t.Helper()
	return u.Put(t, Path("v3/rooms/{}/send/{}/{}", room, typ, u.Server.Unique("txn")), content).At("event_id").String()
}

// TrySend sends a text message under a transaction id, to a server that may
// die meanwhile.
func (u *User) TrySend(ctx context.Context, room, txn, body string) (string, error) {
	a, err := u.Try(ctx, http.MethodPut, Path("v3/rooms/{}/send/m.room.message/{}", room, txn), Text(body))
	if err != nil {
		return "", err
	}
	if a.Status != http.StatusOK {
		return "", fmt.Errorf("send: %s", a)
	}
	return a.JSON().At("event_id").String(), nil
}

// SetState sets a piece of state and returns the event's id.
func (u *User) SetState(t T, room, typ, key string, content any) string {
	t.Helper()
	return u.Put(t, Path("v3/rooms/{}/state/{}/{}", room, typ, key), content).At("event_id").String()
}

// State returns the content of a piece of state.
func (u *User) State(t T, room, typ, key string) Value {
	t.Helper()
	return u.Get(t, Path("v3/rooms/{}/state/{}/{}", room, typ, key))
}

// Join, Leave and Forget are the user's own membership; Invite, Kick, Ban and
// Unban another's.
func (u *User) Join(t T, room string) {
	t.Helper()
	u.Post(t, Path("v3/rooms/{}/join", room), O{})
}

func (u *User) Leave(t T, room string) {
	t.Helper()
	u.Post(t, Path("v3/rooms/{}/leave", room), O{})
}

func (u *User) Forget(t T, room string) {
	t.Helper()
	u.Post(t, Path("v3/rooms/{}/forget", room), O{})
}

func (u *User) Invite(t T, room string, who *User) { t.Helper(); u.member(t, "invite", room, who) }

func (u *User) Kick(t T, room string, who *User) { t.Helper(); u.member(t, "kick", room, who) }

func (u *User) Ban(t T, room string, who *User) { t.Helper(); u.member(t, "ban", room, who) }

func (u *User) Unban(t T, room string, who *User) { t.Helper(); u.member(t, "unban", room, who) }

func (u *User) member(t T, verb, room string, who *User) {
	t.Helper()
	u.Post(t, Path("v3/rooms/{}/{}", room, verb), O{"user_id": who.ID})
}

// Redact redacts an event and returns the redaction's id.
func (u *User) Redact(t T, room, event string) string {
	t.Helper()
	return u.Put(t, Path("v3/rooms/{}/redact/{}/{}", room, event, u.Server.Unique("txn")), O{"reason": "test"}).At("event_id").String()
}

// Messages returns one page.
func (u *User) Messages(t T, room string, query ...any) Value {
	t.Helper()
	return u.Get(t, Path("v3/rooms/{}/messages", room)+Query(query...))
}

// AllMessages pages through a room from one end to the other and returns the
// events as the server ordered them. Further pairs go into the query.
func (u *User) AllMessages(t T, room, dir string, limit int, more ...any) []Value {
	t.Helper()
	var all []Value
	first := append([]any{"dir", dir, "limit", limit}, more...)
	query := first
	for {
		page := u.Messages(t, room, query...)
		all = append(all, page.At("chunk").List()...)
		end := page.At("end")
		if !end.Exists() {
			return all
		}
		query = append(slices.Clone(first), "from", end.String())
	}
}
