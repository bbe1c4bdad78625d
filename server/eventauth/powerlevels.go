// SPDX-License-Identifier: Apache-2.0

package eventauth

import (
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

// Infinite is the power level of creators in versions that privilege them. All
// other levels are smaller.
const Infinite int64 = math.MaxInt64

// PowerLevels returns the levels of users and the levels that actions need.
// Levels that the room's m.room.power_levels lacks, or has in a form that the
// room version does not accept, are the defaults.
//
// Spec: client-server "m.room.power_levels"; server-server "Definitions".
type PowerLevels struct {
	rules   *roomver.Rules
	create  *event.Event
	content jsontext.Value // nil if the room has no m.room.power_levels
}

// PowerLevelsOf returns the power levels of a room in this state.
func PowerLevelsOf(rules *roomver.Rules, state State) PowerLevels {
	return NewPowerLevels(rules, state.Event(event.TypeCreate, ""), state.Event(event.TypePowerLevels, ""))
}

// NewPowerLevels returns the power levels of a room with these two events;
// either may be nil.
func NewPowerLevels(rules *roomver.Rules, create, levels *event.Event) PowerLevels {
	p := PowerLevels{rules: rules, create: create}
	if levels != nil {
		p.content = levels.Content
	}
	return p
}

// User returns the level of a user.
func (p PowerLevels) User(user id.UserID) int64 {
	if p.rules.CreatorsPrivileged && isCreator(p.rules, p.create, user) {
		return Infinite
	}
	if p.content == nil {
		if !p.rules.CreatorsPrivileged && isCreator(p.rules, p.create, user) {
			return 100
		}
		return 0
	}
	if n, ok := level(p.rules, event.Member(event.Member(p.content, "users"), string(user))); ok {
		return n
	}
	return p.scalar("users_default")
}

// Event returns the level needed to send an event of a type, as a state event or
// as a message.
func (p PowerLevels) Event(typ string, isState bool) int64 {
	if n, ok := level(p.rules, event.Member(event.Member(p.content, "events"), typ)); ok {
		return n
	}
	if isState {
		return p.scalar("state_default")
	}
	return p.scalar("events_default")
}

// Ban, Kick, Invite and Redact return the level needed for these actions;
// Redact is about events of other users.
func (p PowerLevels) Ban() int64    { return p.scalar("ban") }
func (p PowerLevels) Kick() int64   { return p.scalar("kick") }
func (p PowerLevels) Invite() int64 { return p.scalar("invite") }
func (p PowerLevels) Redact() int64 { return p.scalar("redact") }

// State returns the level needed for state events whose type has no level of
// its own.
func (p PowerLevels) State() int64 { return p.scalar("state_default") }

// Notification returns the level needed to trigger notifications of a kind, such
// as "room".
func (p PowerLevels) Notification(kind string) int64 {
	if n, ok := level(p.rules, event.Member(event.Member(p.content, "notifications"), kind)); ok {
		return n
	}
	return 50
}

// MayRedact reports whether a redaction takes effect on its target, once the
// redaction itself has been accepted.
//
// Spec: room version 3, "Handling redactions". In versions 1 and 2 the
// authorization rules alone decide.
func (p PowerLevels) MayRedact(redaction, target *event.Event) bool {
	if p.rules.RedactionNeedsAuth {
		return true
	}
	return p.User(redaction.Sender) >= p.Redact() || redaction.Sender.Server() == target.Sender.Server()
}

func (p PowerLevels) scalar(name string) int64 {
	if n, ok := level(p.rules, event.Member(p.content, name)); ok {
		return n
	}
	switch name {
	case "ban", "kick", "redact", "state_default":
		return 50
	}
	return 0
}

// level decodes a power level; ok is false if the value is not one. Values
// beyond 64 bits, which only versions without strict JSON accept, become the
// largest or smallest finite level.
//
// Spec: room versions 1 to 9, "m.room.power_levels events accept values as
// strings", and 1 to 5, "as floats".
func level(rules *roomver.Rules, raw jsontext.Value) (int64, bool) {
	switch {
	case len(raw) == 0:
		return 0, false
	case raw[0] == '"':
		s, _ := event.Text(raw)
		return levelOfText(s, !rules.IntegerPowerLevels)
	case raw[0] != '-' && (raw[0] < '0' || raw[0] > '9'):
		return 0, false
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	switch {
	case err == nil:
		return saturate(n), true
	case rules.StrictJSON:
		return 0, false
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return 0, false // beyond the range of a float64
	}
	return saturateFloat(math.Trunc(f)), true
}

func levelOfText(s string, allowed bool) (int64, bool) {
	s = strings.TrimSpace(s)
	digits := s
	if s != "" && (s[0] == '+' || s[0] == '-') {
		digits = s[1:]
	}
	if !allowed || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil { // only digits, so the number is out of range
		if s[0] == '-' {
			return -(Infinite - 1), true
		}
		return Infinite - 1, true
	}
	return saturate(n), true
}

func saturate(n int64) int64 { return max(-(Infinite - 1), min(n, Infinite-1)) }

func saturateFloat(f float64) int64 {
	switch {
	case f >= 1<<63:
		return Infinite - 1
	case f <= -(1 << 63):
		return -(Infinite - 1)
	}
	return saturate(int64(f))
}
