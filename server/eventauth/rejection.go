// SPDX-License-Identifier: Apache-2.0

package eventauth

import (
	"strconv"

	"touchstone.example/server/roomver"
)

// A Rejection is the error of an event that an authorization rule forbids.
type Rejection struct {
	// Rule is the number of the rule in the published document of the room
	// version, such as "5.3.2".
	Rule   string
	Reason string
	// Malformed: nobody may send this event, whatever their power.
	Malformed bool
	// Version is the room version whose rule it is.
	Version string
}

// RuleID names the rule, for the log and for who sent the event.
func (r *Rejection) RuleID() string { return "auth/" + r.Rule }

// Section is where the rule stands in the specification, below its address.
func (r *Rejection) Section() string { return "/rooms/v" + r.Version + "/#authorization-rules" }

func (r *Rejection) Error() string { return "rule " + r.Rule + ": " + r.Reason }

// reject makes a Rejection; path is the number of the rule, one element per
// level.
func reject(reason string, path ...int) error { return rejection(reason, path) }

// malformed makes a Rejection for an event that nobody may send.
func malformed(reason string, path ...int) error {
	r := rejection(reason, path)
	r.Malformed = true
	return r
}

func rejection(reason string, path []int) *Rejection {
	var b []byte
	for i, n := range path {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return &Rejection{Rule: string(b), Reason: reason}
}

// numbers are the numbers that the rules have in the document of one version.
// They depend on which rules the version has, since an added or removed rule
// shifts those after it. Comments elsewhere use the numbers of room version 12.
type numbers struct {
	room, authEvents, federate, aliases, member, joined int
	thirdParty, required, userKey, power, redaction     int

	// within member
	authorised, join, invite, leave, ban, knock, unknown int
	// within join
	restricted, otherwise int
	// within power
	scalars, maps, users, creators, changedScalar, changedEntry int
	addedEntry, changedUser, addedUser                          int
}

func numbersOf(r *roomver.Rules) (n numbers) {
	next := counter(1)
	n.room = next.takeIf(r.CreateEventImplied)
	n.authEvents = next.take()
	n.federate = next.take()
	n.aliases = next.takeIf(r.AliasesHaveOwnRule)
	n.member = next.take()
	n.joined = next.take()
	n.thirdParty = next.take()
	n.required = next.take()
	n.userKey = next.take()
	n.power = next.take()
	n.redaction = next.takeIf(r.RedactionNeedsAuth)

	next = 1
	n.authorised = next.takeIf(r.Restricted)
	n.join = next.take()
	n.invite = next.take()
	n.leave = next.take()
	n.ban = next.take()
	n.knock = next.takeIf(r.Knock)
	n.unknown = next.take()

	next = 4
	n.restricted = next.takeIf(r.Restricted)
	next.take() // the rule on public rooms
	n.otherwise = next.take()

	next = 0
	n.scalars = next.takeIf(r.IntegerPowerLevels)
	n.maps = next.takeIf(r.IntegerPowerLevels)
	n.users = next.take()
	n.creators = next.takeIf(r.CreatorsPrivileged)
	next.take() // the rule on previous events
	n.changedScalar = next.take()
	n.changedEntry = next.take()
	n.addedEntry = next.take()
	n.changedUser = next.take()
	n.addedUser = next.take()
	return n
}

// A counter holds the rule number that was used last.
type counter int

func (c *counter) take() int {
	*c++
	return int(*c)
}

func (c *counter) takeIf(there bool) int {
	if !there {
		return 0
	}
	return c.take()
}
