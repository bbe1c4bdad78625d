// SPDX-License-Identifier: Apache-2.0

package eventauth

import (
	"touchstone.example/api/id"
	"touchstone.example/server/event"
)

// checkMember is rule 5.
func (c *checker) checkMember() error {
	ev := c.ev
	// 5.1
	if ev.StateKey == nil || ev.ContentMember("membership") == nil {
		return malformed("membership without a state key or a membership", c.n.member, 1)
	}
	// The target user is the user that the state key names; it must be a valid
	// user ID.
	// Spec: server-server "Definitions".
	target, err := id.ParseUserID(*ev.StateKey)
	if err != nil {
		return malformed("the state key is not a user ID", c.n.member, 1)
	}
	// 5.2.1
	if raw := ev.ContentMember("join_authorised_via_users_server"); raw != nil && c.rules.Restricted {
		s, _ := event.Text(raw)
		user, err := id.ParseUserID(s)
		if err != nil || c.verify != nil && !c.verify(ev, user.Server()) {
			return reject("no valid signature of the server that authorises the join", c.n.member, c.n.authorised, 1)
		}
	}
	switch membership := ev.Membership(); {
	case membership == "join":
		return c.checkJoin(target)
	case membership == "invite":
		return c.checkInvite(target)
	case membership == "leave":
		return c.checkLeave(target)
	case membership == "ban":
		return c.checkBan(target)
	case membership == "knock" && c.rules.Knock:
		return c.checkKnock(target)
	}
	// 5.8
	return malformed("unknown membership", c.n.member, c.n.unknown)
}

// checkJoin is rule 5.3.
func (c *checker) checkJoin(target id.UserID) error {
	ev := c.ev
	// 5.3.1
	if len(ev.PrevEvents) == 1 && ev.PrevEvents[0] == c.create.ID && target == creator(c.rules, c.create) {
		return nil
	}
	// 5.3.2
	if ev.Sender != target {
		return reject("nobody can join for another user", c.n.member, c.n.join, 2)
	}
	membership := c.membership(target)
	// 5.3.3
	if membership == "ban" {
		return reject("the sender is banned", c.n.member, c.n.join, 3)
	}
	there := membership == "join" || membership == "invite"
	switch rule := JoinRuleOf(c.state); {
	// 5.3.4
	case rule == "invite" || rule == "knock" && c.rules.Knock:
		if there {
			return nil
		}
	// 5.3.5
	case rule == "restricted" && c.rules.Restricted, rule == "knock_restricted" && c.rules.KnockRestricted:
		// 5.3.5.1, 5.3.5.3
		if there || c.joinIsAuthorised() {
			return nil
		}
		// 5.3.5.2
		return reject("the join is not authorised by a member who may invite",
			c.n.member, c.n.join, c.n.restricted, 2)
	// 5.3.6
	case rule == "public":
		return nil
	}
	// 5.3.7
	return reject("the join rule does not let the sender in", c.n.member, c.n.join, c.n.otherwise)
}

// joinIsAuthorised reports whether the user in join_authorised_via_users_server
// is joined and may invite.
func (c *checker) joinIsAuthorised() bool {
	s, ok := c.ev.ContentText("join_authorised_via_users_server")
	user := id.UserID(s)
	return ok && c.membership(user) == "join" && c.levels.User(user) >= c.levels.Invite()
}

// checkInvite is rule 5.4.
func (c *checker) checkInvite(target id.UserID) error {
	// 5.4.1
	if invite := c.ev.ContentMember("third_party_invite"); invite != nil {
		return c.checkThirdPartyInvite(target, invite)
	}
	// 5.4.2
	if c.membership(c.ev.Sender) != "join" {
		return reject("the sender is not in the room", c.n.member, c.n.invite, 2)
	}
	// 5.4.3
	if m := c.membership(target); m == "join" || m == "ban" {
		return reject("the target is in the room or banned", c.n.member, c.n.invite, 3)
	}
	// 5.4.4
	if c.levels.User(c.ev.Sender) >= c.levels.Invite() {
		return nil
	}
	// 5.4.5
	return reject("the sender may not invite", c.n.member, c.n.invite, 5)
}

// checkLeave is rule 5.5.
func (c *checker) checkLeave(target id.UserID) error {
	sender := c.ev.Sender
	// 5.5.1
	if sender == target {
		switch m := c.membership(target); {
		case m == "invite", m == "join", m == "knock" && c.rules.Knock:
			return nil
		}
		return reject("the sender is not in the room", c.n.member, c.n.leave, 1)
	}
	// 5.5.2
	if c.membership(sender) != "join" {
		return reject("the sender is not in the room", c.n.member, c.n.leave, 2)
	}
	level := c.levels.User(sender)
	// 5.5.3
	if c.membership(target) == "ban" && level < c.levels.Ban() {
		return reject("the sender may not lift bans", c.n.member, c.n.leave, 3)
	}
	// 5.5.4
	if level >= c.levels.Kick() && c.levels.User(target) < level {
		return nil
	}
	// 5.5.5
	return reject("the sender may not kick the target", c.n.member, c.n.leave, 5)
}

// checkBan is rule 5.6.
func (c *checker) checkBan(target id.UserID) error {
	sender := c.ev.Sender
	// 5.6.1
	if c.membership(sender) != "join" {
		return reject("the sender is not in the room", c.n.member, c.n.ban, 1)
	}
	// 5.6.2
	level := c.levels.User(sender)
	if level >= c.levels.Ban() && c.levels.User(target) < level {
		return nil
	}
	// 5.6.3
	return reject("the sender may not ban the target", c.n.member, c.n.ban, 3)
}

// checkKnock is rule 5.7.
func (c *checker) checkKnock(target id.UserID) error {
	// 5.7.1
	if rule := JoinRuleOf(c.state); rule != "knock" && (rule != "knock_restricted" || !c.rules.KnockRestricted) {
		return reject("the join rule does not let users knock", c.n.member, c.n.knock, 1)
	}
	// 5.7.2
	if c.ev.Sender != target {
		return reject("nobody can knock for another user", c.n.member, c.n.knock, 2)
	}
	// 5.7.3
	switch c.membership(target) {
	case "ban", "invite", "join":
		// 5.7.4
		return reject("the sender is banned, invited or in the room", c.n.member, c.n.knock, 4)
	}
	return nil
}
