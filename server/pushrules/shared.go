// SPDX-License-Identifier: Apache-2.0

package pushrules

import (
	"slices"

	"touchstone.example/api/id"
)

// Shared is the answer of the default rules to one event, for all members who
// never changed theirs. Only two default rules know users, so it is decided by
// whether the event mentions a member (.m.rule.is_user_mention) and whether it is
// a membership event about them (.m.rule.invite_for_me).
type Shared struct {
	Everyone Outcome // for members whom the event does not name

	ev      *Event
	special [2][2]Outcome // by mentioned and about
}

// Share evaluates the default rules, once for each way in which the event can
// concern a member.
func Share(ev *Event, room *RoomInfo) *Shared {
	s := &Shared{ev: ev}
	s.Everyone = common().evaluate(ev, &input{room: room})
	for _, c := range []struct{ mentioned, about bool }{{true, false}, {false, true}, {true, true}} {
		if c.mentioned && ev.mentions == nil || c.about && ev.stateKey == "" {
			continue
		}
		s.special[b2i(c.mentioned)][b2i(c.about)] = common().evaluate(ev, &input{room: room, mentioned: c.mentioned, about: c.about})
	}
	return s
}

// For returns the outcome for a member on default rules.
func (s *Shared) For(user id.UserID) Outcome {
	mentioned, about := s.ev.mentioned(user), s.ev.about(user)
	switch {
	case user == s.ev.sender:
		return Outcome{}
	case mentioned || about:
		return s.special[b2i(mentioned)][b2i(about)]
	default:
		return s.Everyone
	}
}

// Exceptions lists the users for whom the default rules answer something else
// than for everyone, in order. They may be of any server, and need not be in the
// room. The sender is not among them.
func (s *Shared) Exceptions() []id.UserID {
	var users []id.UserID
	add := func(name string) {
		user, err := id.ParseUserID(name)
		if err == nil && user != s.ev.sender && s.For(user).RuleID != s.Everyone.RuleID {
			users = append(users, user)
		}
	}
	add(string(s.ev.stateKey))
	if s.ev.mentions != nil {
		for item := range s.ev.mentions.items {
			if item.kind == '"' {
				add(item.text)
			}
		}
	}
	slices.Sort(users)
	return slices.Compact(users)
}
