// SPDX-License-Identifier: Apache-2.0

package eventauth

import (
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
)

// scalarLevels are the members of m.room.power_levels that are one level each.
var scalarLevels = [...]string{
	"users_default", "events_default", "state_default", "ban", "redact", "kick", "invite",
}

// checkPowerLevels is rule 10, for a sender of this level.
//
// In versions that also know levels as strings or floats no rule names a scalar
// or an event's level that is neither; such a value cannot be compared, and the
// event is rejected where it would have to be.
func (c *checker) checkPowerLevels(sender int64) error {
	if c.rules.IntegerPowerLevels {
		if err := c.checkIntegerLevels(); err != nil {
			return err
		}
	}
	if err := c.checkUserLevels(); err != nil {
		return err
	}
	// 10.5. Values must be comparable even so.
	previous := c.state.Event(event.TypePowerLevels, "")
	old := jsontext.Value("{}")
	if previous != nil {
		old = previous.Content
	}
	check := levelChange{c: c, sender: sender, first: previous == nil}
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

// checkIntegerLevels is rules 10.1 and 10.2.
func (c *checker) checkIntegerLevels() error {
	// 10.1
	for _, name := range scalarLevels {
		if raw := c.ev.ContentMember(name); raw != nil {
			if _, ok := level(c.rules, raw); !ok {
				return reject(name+" is not an integer", c.n.power, c.n.scalars)
			}
		}
	}
	// 10.2
	for _, name := range [...]string{"events", "notifications"} {
		raw := c.ev.ContentMember(name)
		if raw != nil && raw[0] != '{' {
			return reject(name+" is not an object", c.n.power, c.n.maps)
		}
		for _, v := range event.Members(raw) {
			if _, ok := level(c.rules, v); !ok {
				return reject(name+" has a value that is not an integer", c.n.power, c.n.maps)
			}
		}
	}
	return nil
}

// checkUserLevels is rules 10.3 and 10.4. Content without users passes: there is
// nothing that would not be an object.
func (c *checker) checkUserLevels() error {
	// 10.3
	raw := c.ev.ContentMember("users")
	if raw != nil && raw[0] != '{' {
		return reject("users is not an object", c.n.power, c.n.users)
	}
	for key, v := range event.Members(raw) {
		if _, err := id.ParseUserID(key); err != nil {
			return reject("users has a key that is not a user ID", c.n.power, c.n.users)
		}
		if _, ok := level(c.rules, v); !ok {
			return reject("users has a value that is not a power level", c.n.power, c.n.users)
		}
	}
	if !c.rules.CreatorsPrivileged {
		return nil
	}
	// 10.4
	for _, user := range Creators(c.rules, c.create) {
		if event.Member(raw, string(user)) != nil {
			return reject("users lists a creator of the room", c.n.power, c.n.creators)
		}
	}
	return nil
}

// A levelChange compares new power levels with old ones.
type levelChange struct {
	c      *checker
	sender int64
	first  bool // the room had no power levels: any are allowed
}

// scalars is rule 10.6. What is added has no current value, and what is removed
// no new one: the defaults are not compared.
func (l *levelChange) scalars(old, content jsontext.Value) error {
	n := l.c.n
	for _, name := range scalarLevels {
		raw := event.Member(content, name)
		was, had := level(l.c.rules, event.Member(old, name))
		is, has := level(l.c.rules, raw)
		switch {
		case raw != nil && !has:
			return reject(name+" is not a power level", n.power, n.changedScalar)
		case l.first, had == has && was == is:
		case had && was > l.sender: // 10.6.1
			return reject(name+" is above the sender's level", n.power, n.changedScalar, 1)
		case has && is > l.sender: // 10.6.2
			return reject(name+" would be above the sender's level", n.power, n.changedScalar, 2)
		}
	}
	return nil
}

// entries is rules 10.7 and 10.8, for events or notifications.
func (l *levelChange) entries(old, content jsontext.Value) error {
	n := l.c.n
	is, ok := l.levels(content)
	if !ok {
		return reject("a level of events or notifications is not a power level", n.power, n.addedEntry)
	}
	if l.first {
		return nil
	}
	was, _ := l.levels(old)
	// 10.7.1
	for key := range event.Members(old) {
		if before, had := was[key]; had && changed(was, is, key) && before > l.sender {
			return reject(key+" is above the sender's level", n.power, n.changedEntry, 1)
		}
	}
	// 10.8.1
	for key := range event.Members(content) {
		if changed(was, is, key) && is[key] > l.sender {
			return reject(key+" would be above the sender's level", n.power, n.addedEntry, 1)
		}
	}
	return nil
}

// users is rules 10.9 and 10.10.
func (l *levelChange) users(old, content jsontext.Value) error {
	if l.first {
		return nil
	}
	n := l.c.n
	is, _ := l.levels(content)
	was, _ := l.levels(old)
	// 10.9.1
	for key := range event.Members(old) {
		before, had := was[key]
		if had && key != string(l.c.ev.Sender) && changed(was, is, key) && before >= l.sender {
			return reject(key+" is not below the sender's level", n.power, n.changedUser, 1)
		}
	}
	// 10.10.1
	for key := range event.Members(content) {
		if changed(was, is, key) && is[key] > l.sender {
			return reject(key+" would be above the sender's level", n.power, n.addedUser, 1)
		}
	}
	return nil
}

// levels decodes an object of power levels, and tells whether it is one. It is
// if it is absent.
func (l *levelChange) levels(raw jsontext.Value) (map[string]int64, bool) {
	ok := raw == nil || raw[0] == '{'
	m := make(map[string]int64)
	for key, v := range event.Members(raw) {
		n, isLevel := level(l.c.rules, v)
		if ok = ok && isLevel; isLevel {
			m[key] = n
		}
	}
	return m, ok
}

func changed(was, is map[string]int64, key string) bool {
	before, had := was[key]
	after, has := is[key]
	return had != has || before != after
}
