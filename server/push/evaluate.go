// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
	"touchstone.example/server/pushrules"
	"touchstone.example/storage"
)

// fewMembers is how many members of a room are counted for every event: the
// predefined rules ask whether there are two.
const fewMembers = 3

// own is what a user is notified of, of one version.
type own struct {
	version int64
	rules   *pushrules.Rules
	ignored map[id.UserID]bool
	bytes   int // that it was made from
}

// Outcomes evaluates an event for those members of its room who have rules of
// their own or ignore somebody, as they are in the transaction: a change that any
// process has committed counts. For all others the default rules decide. Who is
// invited is notified of what is about them alone.
//
// Spec: client-server "Receiving notifications", "Ignoring Users".
func (p *Push) Outcomes(ctx context.Context, tx *storage.Writer, roomNID int64, ev *pushrules.Event, room pushrules.RoomInfo) (map[id.UserID]pushrules.Outcome, error) {
	members, joined, err := tx.MembersWithRules(ctx, roomNID, fewMembers)
	if err != nil || len(members) == 0 {
		return nil, err
	}
	rules, err := p.compiled(ctx, tx, members)
	if err != nil {
		return nil, err
	}
	if room.Members = joined; joined == fewMembers {
		if room.Members, err = membersFor(ctx, tx.Reader, roomNID, rules); err != nil {
			return nil, err
		}
	}
	names, err := displayNames(ctx, tx.Reader, roomNID, rules)
	if err != nil {
		return nil, err
	}
	outcomes := make(map[id.UserID]pushrules.Outcome, len(members))
	for _, m := range members {
		if m.Membership == "invite" && !ev.About(m.UserID) {
			continue
		}
		switch o := rules[m.UserID]; {
		case o == nil: // no account
		case o.ignored[ev.Sender()]:
			outcomes[m.UserID] = pushrules.Outcome{}
		default:
			outcomes[m.UserID] = o.rules.Evaluate(ev, &room, names[m.UserID])
		}
	}
	return outcomes, nil
}

// membersFor counts the members of a room where the rules ask for more than a few.
func membersFor(ctx context.Context, tx *storage.Reader, roomNID int64, rules map[id.UserID]*own) (int, error) {
	most := 0
	for _, o := range rules {
		most = max(most, o.rules.MaxMembers())
	}
	if most < fewMembers {
		return fewMembers, nil
	}
	counts, err := tx.CountMembers(ctx, []int64{roomNID}, "join")
	return int(counts[roomNID]["join"]), err
}

// displayNames returns the names in a room of those whose rules ask for it, which
// are few: the condition is deprecated.
func displayNames(ctx context.Context, tx *storage.Reader, roomNID int64, rules map[id.UserID]*own) (map[id.UserID]string, error) {
	var names map[id.UserID]string
	for user, o := range rules {
		if !o.rules.WantDisplayName() {
			continue
		}
		client, err := tx.MemberEvent(ctx, roomNID, user)
		if err != nil {
			return nil, err
		}
		var e struct {
			Content struct {
				Name jsontext.Value `json:"displayname"`
			} `json:"content"`
		}
		var name string
		if json.Unmarshal(client, &e) != nil || json.Unmarshal(e.Content.Name, &name) != nil {
			continue // no name
		}
		if names == nil {
			names = map[id.UserID]string{}
		}
		names[user] = name
	}
	return names, nil
}

// compiled returns the members' rules. Those that are not remembered in this
// version are read and compiled; they are remembered once the transaction has
// committed, since it may have read what is taken back with it.
func (p *Push) compiled(ctx context.Context, tx *storage.Writer, members []storage.MemberRules) (map[id.UserID]*own, error) {
	rules, missing := p.rules.get(members)
	if len(missing) == 0 {
		return rules, nil
	}
	var failed error
	err := tx.OwnRules(ctx, missing, func(user id.UserID, version int64, stored storage.OwnRules) {
		o, err := p.compile(user, stored)
		if err != nil {
			failed = fmt.Errorf("push rules of %s: %w", user, err)
			return
		}
		o.version = version
		rules[user] = o
		tx.OnEnd(func(end storage.Outcome) {
			if end == storage.Committed {
				p.rules.put(user, o)
			}
		})
	})
	if err == nil {
		err = failed
	}
	return rules, err
}

func (p *Push) compile(user id.UserID, stored storage.OwnRules) (*own, error) {
	set, err := p.parse(user, storage.PushRules{Rules: stored.PushRules})
	if err != nil {
		return nil, err
	}
	return &own{
		rules: pushrules.Compile(set), ignored: ignoredIn(stored.Ignored), bytes: 512 + len(stored.PushRules) + len(stored.Ignored),
	}, nil
}

// ignoredIn reads whom a user ignores. What clients have put there in another form
// ignores nobody.
//
// Spec: client-server "m.ignored_user_list".
func ignoredIn(content []byte) map[id.UserID]bool {
	var list struct {
		Users map[string]jsontext.Value `json:"ignored_users"`
	}
	if len(content) == 0 || json.Unmarshal(content, &list) != nil {
		return nil
	}
	users := make(map[id.UserID]bool, len(list.Users))
	for user := range list.Users {
		users[id.UserID(user)] = true
	}
	return users
}

// A cache remembers compiled rules by user. Those of a version never change; the
// database says which version counts.
type cache struct {
	mu    sync.Mutex
	users map[id.UserID]*own
	bytes int
}

// maxCached bounds what the remembered rules were made from, in bytes.
const maxCached = 32 << 20

// get returns what is remembered of the members' versions, and who else there is.
func (c *cache) get(members []storage.MemberRules) (known map[id.UserID]*own, missing []id.UserID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known = make(map[id.UserID]*own, len(members))
	for _, m := range members {
		if o := c.users[m.UserID]; o != nil && o.version == m.Version {
			known[m.UserID] = o
		} else {
			missing = append(missing, m.UserID)
		}
	}
	return known, missing
}

// put remembers rules unless newer ones are, and forgets any others for them.
func (c *cache) put(user id.UserID, o *own) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.users[user]; old != nil {
		if old.version > o.version {
			return
		}
		c.bytes -= old.bytes
	}
	if c.users == nil {
		c.users = map[id.UserID]*own{}
	}
	c.users[user] = o
	c.bytes += o.bytes
	for other, old := range c.users {
		if c.bytes <= maxCached {
			return
		}
		if other != user {
			delete(c.users, other)
			c.bytes -= old.bytes
		}
	}
}
