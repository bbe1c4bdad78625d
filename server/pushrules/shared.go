// SPDX-License-Identifier: Apache-2.0

package pushrules

import (
	"slices"

	"touchstone.example/api/id"
)

// Shared is the outcome of the default rules for one event, for all users who
// have only default rules. Only two default rules depend on the user, so the
// outcome depends on whether the event mentions the user
// (.m.rule.is_user_mention) and whether it is a membership event about them
// (.m.rule.invite_for_me).
type Shared struct {
	Everyone Outcome // for users whom the event does not name

	ev      *Event
	special [2][2]Outcome // indexed by mentioned and about
}

// Share evaluates the default rules once for each combination of mentioned and
// about.
func (p *Predefined) Share(ev *Event, room *RoomInfo) *Shared {
	common := p.shared
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

// For returns the outcome for a user who has only default rules.
func (s *Shared) For(user id.UserID) Outcome {
	mentioned, about := s.ev.mentioned(user), s.ev.About(user)
	switch {
	case user == s.ev.sender:
		return Outcome{}
	case mentioned || about:
		return s.special[b2i(mentioned)][b2i(about)]
	default:
		return s.Everyone
	}
}

// Exceptions lists the users whose outcome differs from Everyone, sorted. They
// may be users of other servers, and need not be in the room. The sender is not
// included.
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
