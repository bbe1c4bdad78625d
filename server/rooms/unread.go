// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"maps"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/pushrules"
	"touchstone.example/server/roomview"
	"touchstone.example/storage"
)

// MemberRules evaluates an event for those members of its room for whom the default
// push rules do not decide. It is asked in the transaction that writes the event.
type MemberRules interface {
	Outcomes(ctx context.Context, tx *storage.Writer, roomNID int64, ev *pushrules.Event, room pushrules.RoomInfo) (map[id.UserID]pushrules.Outcome, error)
}

// unread says for which members an event is unread by the default push rules, decided
// before it is written.
type unread struct {
	event      *pushrules.Event // nil: for nobody
	room       pushrules.RoomInfo
	everyone   bool // who has the default rules and is not named below
	named      map[id.UserID]storage.UnreadCount
	all        bool        // a highlight for all members
	relation   relation    // by which it may belong to a thread
	hiddenFrom []id.UserID // members who may not see the event
}

// countUnread lets the default push rules decide about an event, once for all
// members.
//
// Spec: client-server "Receiving notifications".
func (r *Rooms) countUnread(h *head, ev *event.Event) (u unread, err error) {
	e, err := pushrules.NewEvent(ev.ClientJSON())
	if err != nil {
		return u, err
	}
	levels := eventauth.PowerLevelsOf(h.rules, h)
	u.event, u.room = e, pushrules.RoomInfo{SenderLevel: levels.User(ev.Sender), NotificationLevel: levels.Notification}
	shared := r.predefined.Share(e, &u.room)
	u.everyone, u.all = shared.Everyone.Notify, shared.Everyone.Highlight
	for _, user := range shared.Exceptions() {
		if user.Server() != r.name {
			continue
		}
		if u.named == nil {
			u.named = map[id.UserID]storage.UnreadCount{}
		}
		o := shared.For(user)
		u.named[user] = storage.UnreadCount{Notify: asCount(o.Notify) - asCount(u.everyone), Highlight: asCount(o.Highlight)}
	}
	u.relation = relationIn(ev.Content)
	return u, nil
}

func asCount(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// writeUnread stores for whom an event is unread. What the members are to the room
// stands in the transaction by now.
func (r *Rooms) writeUnread(ctx context.Context, tx *storage.Writer, u unread, row *storage.Event) error {
	var own map[id.UserID]pushrules.Outcome
	if r.memberRules != nil && u.event != nil {
		var err error
		if own, err = r.memberRules.Outcomes(ctx, tx, row.RoomNID, u.event, u.room); err != nil {
			return err
		}
	}
	if !u.everyone && len(u.named) == 0 && !counts(own) {
		return nil
	}
	thread, err := threadOf(ctx, tx.Reader, row.RoomNID, u.relation)
	if err != nil {
		return err
	}
	if u.everyone {
		err := tx.InsertUnread(ctx, storage.Unread{RoomNID: row.RoomNID, ThreadNID: thread, Pos: row.Pos})
		if err != nil {
			return err
		}
	}
	named := maps.Clone(u.named)
	if named == nil {
		named = map[id.UserID]storage.UnreadCount{}
	}
	if u.all {
		members, err := tx.LocalMembers(ctx, row.RoomNID, "join")
		if err != nil {
			return err
		}
		for _, user := range members {
			if _, ok := named[user]; !ok && user != row.Sender {
				named[user] = storage.UnreadCount{Highlight: 1}
			}
		}
	}
	for user, o := range own {
		if user != row.Sender {
			named[user] = storage.UnreadCount{Notify: asCount(o.Notify) - asCount(u.everyone), Highlight: asCount(o.Highlight)}
		}
	}
	for _, user := range u.hiddenFrom {
		named[user] = storage.UnreadCount{Notify: -asCount(u.everyone)}
	}
	for user, c := range named {
		if c == (storage.UnreadCount{}) {
			continue // as for everybody
		}
		err := tx.InsertUnreadException(ctx, storage.UnreadException{
			UserID: user, RoomNID: row.RoomNID, ThreadNID: thread, Pos: row.Pos, Notify: c.Notify, Highlight: c.Highlight,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// counts reports whether an event is unread for somebody.
func counts(outcomes map[id.UserID]pushrules.Outcome) bool {
	for _, o := range outcomes {
		if o.Notify {
			return true
		}
	}
	return false
}

// writeRedacted applies a redaction. A redacted event no longer counts as unread: users
// expect the badge to disappear with the message.
func (r *Rooms) writeRedacted(ctx context.Context, tx *storage.Writer, roomNID int64, target *stored, by int64) error {
	if err := tx.PutRedaction(ctx, target.nid, by, target.Redact().SyncJSON()); err != nil || target.StateKey != nil {
		return err
	}
	thread, err := threadOf(ctx, tx.Reader, roomNID, relationIn(target.Content))
	if err != nil {
		return err
	}
	return tx.InsertUnreadRedacted(ctx, target.nid, thread)
}

// countUnreadLate is countUnread for an event that need not follow all that is here.
func (r *Rooms) countUnreadLate(ctx context.Context, h *head, ev *event.Event, row *storage.Event) (u unread, err error) {
	if u, err = r.countUnread(h, ev); err == nil {
		u.hiddenFrom, err = r.membersWhoMayNotSee(ctx, h, row)
	}
	return u, err
}

// membersWhoMayNotSee lists the local members who may not see a late event: they joined
// after the event's position in the room, and history visibility hides earlier events
// from them.
//
// Spec: client-server "Room History Visibility".
func (r *Rooms) membersWhoMayNotSee(ctx context.Context, h *head, row *storage.Event) ([]id.UserID, error) {
	if !row.Forked {
		return nil, nil // who is in the room now was there
	}
	changes, err := r.stateDelta(ctx, h, row.StateBefore, nil)
	if err != nil {
		return nil, err
	}
	var users []id.UserID
	err = r.db.Read(ctx, func(tx *storage.Reader) error {
		for _, m := range changes {
			user := id.UserID(m.key.Key)
			if m.key.Type != event.TypeMember || m.old == nil || membershipIn(m.old.Content) != "join" || user.Server() != r.name {
				continue
			}
			access, err := roomview.AccessOf(ctx, tx, row.RoomNID, user)
			if err != nil {
				return err
			}
			if ok, _, err := access.CanSee(ctx, row); err != nil {
				return err
			} else if !ok {
				users = append(users, user)
			}
		}
		return nil
	})
	return users, err
}
