// SPDX-License-Identifier: Apache-2.0

package roomtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/storage"
	"touchstone.example/tests/slicetest"
)

// Do sends a request.
func (s *Server) Do(method, path, token string, body any) slicetest.Answer {
	s.T.Helper()
	return slicetest.Do(s.T, s.Handler, method, path, token, body)
}

// OK is Do, and ends the test unless the answer is 200.
func (s *Server) OK(method, path, token string, body any) slicetest.Answer {
	s.T.Helper()
	return slicetest.OK(s.T, s.Handler, method, path, token, body)
}

// Create makes a room.
func (s *Server) Create(token string, body slicetest.O) string {
	s.T.Helper()
	return s.OK("POST", CreatePath, token, body).At("room_id")
}

// Public makes a room of alice's that these join.
func (s *Server) Public(members ...string) string {
	s.T.Helper()
	room := s.Create("alice", slicetest.O{"preset": "public_chat"})
	for _, m := range members {
		s.Act(m, room, "join", slicetest.O{})
	}
	return room
}

// Act changes a membership: join, leave, forget, invite, kick, ban, unban.
func (s *Server) Act(token, room, what string, body slicetest.O) {
	s.T.Helper()
	s.OK("POST", At(room, what), token, body)
}

// Target is the body of what one does to another.
func Target(name string) slicetest.O { return slicetest.O{"user_id": slicetest.User(name)} }

// Send sends a message and returns its event ID.
func (s *Server) Send(token, room, body string) string {
	s.T.Helper()
	s.Txns++
	return s.OK("PUT", At(room, "send/m.room.message/{}", s.Txns), token, slicetest.O{"msgtype": "m.text", "body": body}).At("event_id")
}

// Set sets state and returns the event ID.
func (s *Server) Set(token, room, typ, key string, content any) string {
	s.T.Helper()
	return s.OK("PUT", At(room, "state/{}/{}", typ, key), token, content).At("event_id")
}

// State is the content of a state event, as one sees it.
func (s *Server) State(token, room, typ, key string) slicetest.Answer {
	s.T.Helper()
	return s.OK("GET", At(room, "state/{}/{}", typ, key), token, nil)
}

// SetAccountData sets global account data of a user, as its slice would.
func (s *Server) SetAccountData(user, typ, content string) {
	s.T.Helper()
	require.NoError(s.T, s.DB.Write(s.T.Context(), func(tx *storage.Writer) error {
		return tx.PutAccountData(s.T.Context(), &storage.AccountData{UserID: slicetest.User(user), Type: typ, Content: []byte(content)})
	}))
}

// Membership is what somebody is in a room, as alice sees it.
func (s *Server) Membership(room, name string) string {
	s.T.Helper()
	a := s.Do("GET", At(room, "state/m.room.member/{}", slicetest.User(name)), "alice", nil)
	return a.At("membership")
}

// CreatePath is the path of createRoom.
const CreatePath = "/_matrix/client/v3/createRoom"

// At is a path below a room's.
func At(room, rest string, args ...any) string {
	return slicetest.Path("v3/rooms/{}/"+rest, append([]any{room}, args...)...)
}

// List reads the events of an answer: an array, or a member that is one.
func List(t testing.TB, raw string) (events []Event) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(raw), &events))
	return events
}

// An Event is an event as a client gets it.
type Event struct {
	ID       id.EventID     `json:"event_id"`
	Type     string         `json:"type"`
	StateKey *string        `json:"state_key"`
	Sender   id.UserID      `json:"sender"`
	RoomID   id.RoomID      `json:"room_id"`
	TS       int64          `json:"origin_server_ts"`
	Content  map[string]any `json:"content"`
	Unsigned map[string]any `json:"unsigned"`
}

// Rows are requests with one token.
type Rows []slicetest.Row

// Add adds a request and how it must be answered.
func (r *Rows) Add(name, method, path, token string, body any, status int, errcode string) {
	*r = append(*r, slicetest.Row{Name: name, Method: method, Path: path, Token: token, Body: body, Status: status, ErrCode: errcode})
}

// History lists the events of a room in order.
func (s *Server) History(token, room string) []Event {
	s.T.Helper()
	return List(s.T, s.OK("GET", At(room, "messages?dir=f&limit=100"), token, nil).At("chunk"))
}

// Types names events by type, and by state key where they have one.
func Types(events []Event) (out []string) {
	for _, e := range events {
		name := strings.TrimPrefix(e.Type, "m.room.")
		if e.StateKey != nil && *e.StateKey != "" {
			name += " " + *e.StateKey
		}
		out = append(out, name)
	}
	return out
}

// Names lists the members of an answer by localpart, with what they are.
func Names(t testing.TB, chunk string) (out []string) {
	for _, e := range List(t, chunk) {
		name := strings.TrimSuffix(strings.TrimPrefix(*e.StateKey, "@"), ":hs1")
		out = append(out, fmt.Sprintf("%s %s", name, e.Content["membership"]))
	}
	slices.Sort(out)
	return out
}

// With is an object with some members changed, or without those that are nil.
func With(o map[string]any, change slicetest.O) slicetest.O {
	out := slicetest.O{}
	for _, m := range []map[string]any{o, change} {
		for k, v := range m {
			out[k] = v
			if v == nil {
				delete(out, k)
			}
		}
	}
	return out
}
