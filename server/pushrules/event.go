// SPDX-License-Identifier: Apache-2.0

package pushrules

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
)

// An Event is an event that was parsed once, to evaluate the rules of many
// users for it. It is safe for concurrent use.
type Event struct {
	root     *node
	sender   id.UserID
	roomID   id.RoomID
	stateKey id.UserID // of m.room.member events: the user whose membership it is
	mentions *node     // the list in the content's m.mentions, or nil
	body     string    // the content's body, case-folded
	hasBody  bool
}

// A node is a JSON value of the event. Objects have members and lists have
// items; only values that conditions can compare are kept.
type node struct {
	value   scalar
	members map[string]*node
	items   map[scalar]bool
}

// A scalar is a JSON value that is no object and no list. Its kind is 0 for
// other values, and for numbers that are not integers of canonical JSON.
type scalar struct {
	kind jsontext.Kind
	text string // a string, or the canonical form of an integer
}

// NewEvent parses an event in the client format, with its room_id and event_id.
func NewEvent(raw jsontext.Value) (*Event, error) {
	// Rooms of old versions contain duplicate names and invalid UTF-8.
	dec := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	root, err := readNode(dec)
	if err != nil {
		return nil, fmt.Errorf("push rules: read event: %w", err)
	}
	if root.members == nil {
		return nil, errors.New("push rules: an event is an object")
	}
	e := &Event{root: root}
	e.sender = id.UserID(e.text("sender"))
	e.roomID = id.RoomID(e.text("room_id"))
	if e.text("type") == "m.room.member" {
		e.stateKey = id.UserID(e.text("state_key"))
	}
	e.mentions = root.at([]string{"content", "m.mentions", "user_ids"})
	if body := root.at([]string{"content", "body"}); body != nil && body.value.kind == '"' {
		e.body, e.hasBody = fold(body.value.text), true
	}
	return e, nil
}

// Sender returns who sent the event.
func (e *Event) Sender() id.UserID { return e.sender }

// mentioned reports whether the content's m.mentions names the user.
func (e *Event) mentioned(user id.UserID) bool {
	return e.mentions != nil && user != "" && e.mentions.items[scalar{'"', string(user)}]
}

// About reports whether this is a membership event with the user as its state
// key.
func (e *Event) About(user id.UserID) bool { return user != "" && e.stateKey == user }

func (e *Event) text(name string) string {
	n := e.root.members[name]
	if n == nil || n.value.kind != '"' {
		return ""
	}
	return n.value.text
}

func readNode(dec *jsontext.Decoder) (*node, error) {
	switch kind := dec.PeekKind(); kind {
	case '{':
		return readObject(dec)
	case '[':
		return readList(dec)
	default:
		v, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		return &node{value: scalarOf(v)}, nil
	}
}

func readObject(dec *jsontext.Decoder) (*node, error) {
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	n := &node{members: map[string]*node{}}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if n.members[key], err = readNode(dec); err != nil {
			return nil, err
		}
	}
	_, err := dec.ReadToken()
	return n, err
}

func readList(dec *jsontext.Decoder) (*node, error) {
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	n := &node{items: map[scalar]bool{}}
	for {
		switch dec.PeekKind() {
		case ']':
			_, err := dec.ReadToken()
			return n, err
		case '{', '[':
			if err := dec.SkipValue(); err != nil {
				return nil, err
			}
		default:
			v, err := dec.ReadValue()
			if err != nil {
				return nil, err
			}
			if s := scalarOf(v); s.kind != 0 {
				n.items[s] = true
			}
		}
	}
}

// at follows a path of member names. It returns nil if there is no such value.
func (n *node) at(path []string) *node {
	for _, name := range path {
		if n = n.members[name]; n == nil {
			return nil
		}
	}
	return n
}

func scalarOf(v jsontext.Value) scalar {
	switch kind := v.Kind(); kind {
	case '"':
		if bytes.IndexByte(v, '\\') < 0 {
			return scalar{kind, string(v[1 : len(v)-1])}
		}
		text, _ := jsontext.AppendUnquote(nil, v) // replaces invalid UTF-8
		return scalar{kind, string(text)}
	case '0':
		if text, ok := integer(string(v)); ok {
			return scalar{kind, text}
		}
		return scalar{}
	case 't', 'f', 'n':
		return scalar{kind: kind}
	default:
		return scalar{}
	}
}

// integer returns the canonical form of a number, in any notation, if it is an
// integer of canonical JSON.
func integer(s string) (string, bool) {
	const limit = 1<<53 - 1
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return strconv.FormatInt(n, 10), -limit <= n && n <= limit
	}
	if !strings.ContainsAny(s, ".eE") {
		return "", false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > limit {
		return "", false
	}
	return strconv.FormatInt(int64(f), 10), true
}
