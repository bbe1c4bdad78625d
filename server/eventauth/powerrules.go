// SPDX-License-Identifier: Apache-2.0

package eventauth

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
)

// scalarLevels are the members of m.room.power_levels that hold a single level.
var scalarLevels = [...]string{
	"users_default", "events_default", "state_default", "ban", "redact", "kick", "invite",
}

// checkPowerLevels is rule 10, for a sender with this level.
//
// Versions that accept levels as strings or floats have no rule against a
// scalar or an event's level that is none of these. Such a value cannot be
// compared, so we reject the event where the rules compare it: not in the
// room's first power levels, and not if the value is unchanged.
func (c *checker) checkPowerLevels(sender int64) error {
	if c.rules.IntegerPowerLevels {
		if err := c.checkIntegerLevels(); err != nil {
			return err
		}
	}
	if err := c.checkUserLevels(); err != nil {
		return err
	}
	if err := c.checkRange(); err != nil {
		return err
	}
	// 10.5
	previous := c.state.Event(event.TypePowerLevels, "")
	if previous == nil {
		return nil
	}
	old := previous.Content
	check := levelChange{c: c, sender: sender}
	if err := check.scalars(old, c.ev.Content); err != nil {
		return err
	}
	maps := []string{"events", "notifications"}
	if !c.rules.NotificationLevelsChecked {
		maps = maps[:1]
	}
	for _, name := range maps {
		if err := check.entries(event.Member(old, name), c.ev.ContentMember(name)); err != nil {
			return err
		}
	}
	return check.users(event.Member(old, "users"), c.ev.ContentMember("users"))
}

// IntegerLevels checks that all levels of an m.room.power_levels are integers.
// No rule before version 10 requires it, but a server should not let its own
// users send other levels.
//
// Spec: server-server "Definitions": "reasonable precautions to prevent users
// from sending new power level events with string values".
func IntegerLevels(ev *event.Event) error {
	rules := *ev.Rules()
	rules.IntegerPowerLevels, rules.StrictJSON = true, true
	c := checker{rules: &rules, ev: ev, n: numbersOf(&rules)}
	if err := c.checkIntegerLevels(); err != nil {
		return err
	}
	return c.checkUserLevels()
}

// checkIntegerLevels is rules 10.1 and 10.2.
func (c *checker) checkIntegerLevels() error {
	// 10.1
	for _, name := range scalarLevels {
		if raw := c.ev.ContentMember(name); raw != nil {
			if _, ok := level(c.rules, raw); !ok {
				return malformed(name+" is not an integer", c.n.power, c.n.scalars)
			}
		}
	}
	// 10.2
	for _, name := range [...]string{"events", "notifications"} {
		raw := c.ev.ContentMember(name)
		if raw != nil && raw[0] != '{' {
			return malformed(name+" is not an object", c.n.power, c.n.maps)
		}
		for _, of := range event.Pairs(nil, raw) {
			if _, ok := level(c.rules, of.B); !ok {
				return malformed(name+" has a value that is not an integer", c.n.power, c.n.maps)
			}
		}
	}
	return nil
}

// checkRange rejects levels that a float64 cannot hold. Strict JSON cannot
// contain them.
//
// Spec: room versions 1 to 5, "m.room.power_levels events accept values as
// floats".
func (c *checker) checkRange() error {
	if c.rules.StrictJSON {
		return nil
	}
	beyond := func(raw jsontext.Value) bool {
		if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
			return false
		}
		_, ok := level(c.rules, raw)
		return !ok
	}
	for _, name := range scalarLevels {
		if beyond(c.ev.ContentMember(name)) {
			return malformed(name+" is beyond the range of a double", c.n.power)
		}
	}
	for _, name := range [...]string{"events", "notifications"} {
		for _, of := range event.Pairs(nil, c.ev.ContentMember(name)) {
			if beyond(of.B) {
				return malformed(name+" has a value beyond the range of a double", c.n.power)
			}
		}
	}
	return nil
}

// checkUserLevels is rules 10.3 and 10.4. Content without the member users
// passes.
func (c *checker) checkUserLevels() error {
	// 10.3
	raw := c.ev.ContentMember("users")
	if raw != nil && raw[0] != '{' {
		return malformed("users is not an object", c.n.power, c.n.users)
	}
	for key, of := range event.Pairs(nil, raw) {
		if _, err := id.ParseUserID(key); err != nil {
			return malformed("users has a key that is not a user ID", c.n.power, c.n.users)
		}
		if _, ok := level(c.rules, of.B); !ok {
			return malformed("users has a value that is not a power level", c.n.power, c.n.users)
		}
	}
	if !c.rules.CreatorsPrivileged {
		return nil
	}
	// 10.4
	for _, user := range Creators(c.rules, c.create) {
		if event.Member(raw, string(user)) != nil {
			return malformed("users lists a creator of the room", c.n.power, c.n.creators)
		}
	}
	return nil
}

// A levelChange compares the new power levels with the old ones.
type levelChange struct {
	c      *checker
	sender int64
}

// scalars is rule 10.6. An added level has no current value and a removed one
// no new value; we do not compare with the defaults.
func (l *levelChange) scalars(old, content jsontext.Value) error {
	n := l.c.n
	for _, name := range scalarLevels {
		before, raw := event.Member(old, name), event.Member(content, name)
		was, had := level(l.c.rules, before)
		is, has := level(l.c.rules, raw)
		switch {
		case bytes.Equal(before, raw), had && has && was == is:
		case raw != nil && !has:
			return reject(name+" is not a power level", n.power, n.changedScalar)
		case had && was > l.sender: // 10.6.1
			return reject(name+" is above the sender's level", n.power, n.changedScalar, 1)
		case has && is > l.sender: // 10.6.2
			return reject(name+" would be above the sender's level", n.power, n.changedScalar, 2)
		}
	}
	return nil
}

// entries is rules 10.7 and 10.8, for the members events or notifications.
func (l *levelChange) entries(old, content jsontext.Value) error {
	n := l.c.n
	if content != nil && content[0] != '{' && !bytes.Equal(old, content) {
		return reject("events or notifications is not an object", n.power, n.addedEntry)
	}
	return l.each(old, content, func(key string, was int64) error {
		if was > l.sender { // 10.7.1
			return reject(key+" is above the sender's level", n.power, n.changedEntry, 1)
		}
		return nil
	}, func(key string, is int64, isLevel bool) error {
		if !isLevel {
			return reject(key+" is not a power level", n.power, n.addedEntry)
		}
		if is > l.sender { // 10.8.1
			return reject(key+" would be above the sender's level", n.power, n.addedEntry, 1)
		}
		return nil
	})
}

// users is rules 10.9 and 10.10.
func (l *levelChange) users(old, content jsontext.Value) error {
	n := l.c.n
	return l.each(old, content, func(key string, was int64) error {
		if key != string(l.c.ev.Sender) && was >= l.sender { // 10.9.1
			return reject(key+" is not below the sender's level", n.power, n.changedUser, 1)
		}
		return nil
	}, func(key string, is int64, _ bool) error {
		if is > l.sender { // 10.10.1
			return reject(key+" would be above the sender's level", n.power, n.addedUser, 1)
		}
		return nil
	})
}

// each calls changed for each old level that is changed or removed, and added
// for each new value that is changed or added. It reports an error of changed
// before one of added, in the order of the rules. An old value that is not a
// level counts as absent.
func (l *levelChange) each(old, content jsontext.Value, changed func(key string, was int64) error, added func(key string, is int64, isLevel bool) error) error {
	var later error
	for key, of := range event.Pairs(old, content) {
		was, had := level(l.c.rules, of.A)
		is, has := level(l.c.rules, of.B)
		if bytes.Equal(of.A, of.B) || had && has && was == is {
			continue
		}
		if had {
			if err := changed(key, was); err != nil {
				return err
			}
		}
		if of.B != nil && later == nil {
			later = added(key, is, has)
		}
	}
	return later
}
