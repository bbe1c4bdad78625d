// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"errors"
	"strconv"
	"strings"

	"touchstone.example/storage"
)

// ErrToken is returned for a token that this server cannot have made.
var ErrToken = errors.New("not a token of this server")

// A Token is what clients send back with their next request: a stream position, and for
// pages of a room also a topological position. Every operation that takes a token
// accepts both kinds. Clients treat it as opaque.
//
// ToDevice is the position at which a page of messages to the device ended, if more
// remain before Pos; 0: all of them up to Pos were sent.
//
// TopoPos is a boundary in the room's order: between the events before it and
// the event at it.
//
// Epoch changes when a backup or snapshot is restored, so that tokens with positions
// that were lost are recognised.
type Token struct {
	Epoch    int64
	Pos      int64
	ToDevice int64
	// Server is the process that remembers which lazily loaded members it has sent to
	// the token's holder; 0 for none. Another process may have given out the same
	// position with other members.
	Server  int64
	Room    bool // TopoPos is set
	TopoPos storage.TopoPos
}

const (
	streamMark = 's'
	topoMark   = 'p'
	tokenV1    = "1"
)

// String writes the token.
func (t Token) String() string {
	b := make([]byte, 0, 48)
	num := func(n int64) {
		b = append(b, '_')
		b = strconv.AppendInt(b, n, 36)
	}
	if t.Room {
		b = append(b, topoMark)
	} else {
		b = append(b, streamMark)
	}
	b = append(b, tokenV1...)
	num(t.Epoch)
	num(t.Pos)
	if t.Room {
		num(t.TopoPos.Depth)
		num(t.TopoPos.NID)
	} else {
		num(t.ToDevice)
		if t.Server != 0 {
			num(t.Server)
		}
	}
	return string(b)
}

// ParseToken reads a token. It refuses whatever String cannot have written.
func ParseToken(s string) (Token, error) {
	if len(s) < 2 || len(s) > 80 || s[0] != streamMark && s[0] != topoMark {
		return Token{}, ErrToken
	}
	parts := strings.Split(s[1:], "_")
	withServer := s[0] == streamMark && len(parts) == 5
	want := 4
	if s[0] == topoMark || withServer {
		want = 5
	}
	if len(parts) != want || parts[0] != tokenV1 {
		return Token{}, ErrToken
	}
	var nums [4]int64
	for i, part := range parts[1:] {
		n, err := strconv.ParseInt(part, 36, 64)
		if err != nil || strconv.FormatInt(n, 36) != part {
			return Token{}, ErrToken
		}
		nums[i] = n
	}
	t := Token{Epoch: nums[0], Pos: nums[1]}
	if t.Pos < 0 || t.Epoch < 0 {
		return Token{}, ErrToken
	}
	if s[0] == topoMark {
		t.Room, t.TopoPos = true, storage.TopoPos{Depth: nums[2], NID: nums[3]}
		return t, nil
	}
	t.ToDevice, t.Server = nums[2], nums[3]
	if t.ToDevice < 0 || withServer && t.Server == 0 {
		return Token{}, ErrToken
	}
	return t, nil
}
