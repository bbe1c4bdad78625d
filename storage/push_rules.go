// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// PushRules are what a user has changed of the default rules.
type PushRules struct {
	Rules []byte // JSON
	Pos   int64  // of the last change
}

// A MemberRules is a member of a room who may be notified of other events than
// the default rules say.
type MemberRules struct {
	UserID     id.UserID
	Membership string
	Version    int64 // of the member's rules
}

// OwnRules are what decides of which events a user is notified, besides the default
// rules. Each is empty where there is none.
type OwnRules struct {
	PushRules []byte // JSON
	Ignored   []byte // JSON: the content of m.ignored_user_list
}

var (
	qPutPushRules = q("put_push_rules", `INSERT INTO push_rules (user_id, rules, pos) VALUES ($1, $2, $3)
		ON CONFLICT (user_id) DO UPDATE SET rules = excluded.rules, pos = excluded.pos`)
	qPushRules         = q("push_rules", `SELECT rules, pos FROM push_rules WHERE user_id = $1`)
	qChangeRules       = q("change_rules", `UPDATE users SET rules_version = rules_version + 1 WHERE user_id = $1`)
	qCopyRulesVersions = q("copy_rules_versions", `UPDATE memberships
		SET rules_version = COALESCE((SELECT u.rules_version FROM users u WHERE u.user_id = $1), 0) WHERE user_id = $1`)
	qMembersWithRules = q("members_with_rules", `SELECT user_id, membership, rules_version,
			(SELECT COUNT(*) FROM (SELECT 1 FROM memberships m WHERE m.room_nid = $1 AND m.membership = 'join' LIMIT $2) AS joined)
		FROM memberships WHERE room_nid = $1 AND rules_version > 0 AND membership IN ('join', 'invite') ORDER BY user_id`)
	qMemberEvent = q("member_event", `SELECT e.client FROM memberships m JOIN events e ON e.nid = m.event_nid
		WHERE m.room_nid = $1 AND m.user_id = $2`)
	qOwnRules = q("own_rules", `SELECT u.user_id, u.rules_version,
			(SELECT p.rules FROM push_rules p WHERE p.user_id = u.user_id),
			(SELECT d.content FROM account_data d WHERE d.user_id = u.user_id AND d.room_nid = 0 AND d.type = 'm.ignored_user_list')
		FROM users u WHERE u.user_id = ANY($1)`)
)

// ChangeRules counts a change of a user's push rules or of whom the user ignores,
// in all rooms of the user. It comes first in its transaction: such changes of one
// user are made one after the other.
func (w *Writer) ChangeRules(ctx context.Context, userID id.UserID) error {
	if err := w.enqueue(ctx, qChangeRules, userID); err != nil {
		return err
	}
	return w.enqueue(ctx, qCopyRulesVersions, userID)
}

// PutPushRules sets what a user has changed of the default rules.
func (w *Writer) PutPushRules(ctx context.Context, userID id.UserID, p PushRules) error {
	return w.enqueue(ctx, qPutPushRules, userID, p.Rules, p.Pos)
}

// PushRules returns what a user has changed of the default rules, ErrNotFound for
// nothing ever.
func (r *Reader) PushRules(ctx context.Context, userID id.UserID) (p PushRules, err error) {
	err = r.row(ctx, qPushRules, []any{userID}, &p.Rules, &p.Pos)
	return p, err
}

// MembersWithRules lists those of our users who are in a room or invited to it and
// who have rules of their own or ignore somebody. If there are any, joined is how
// many users are in the room, upTo at most.
func (r *Reader) MembersWithRules(ctx context.Context, roomNID int64, upTo int) (list []MemberRules, joined int, err error) {
	err = r.rows(ctx, qMembersWithRules, []any{roomNID, int64(upTo)}, func(scan scanFunc) error {
		var m MemberRules
		var userID Text
		var n int64
		err := scan(&userID, &m.Membership, &m.Version, &n)
		m.UserID, joined = id.UserID(userID), int(n)
		list = append(list, m)
		return err
	})
	return list, joined, err
}

// MemberEvent returns what clients see of the event of a user's current membership.
func (r *Reader) MemberEvent(ctx context.Context, roomNID int64, userID id.UserID) (client []byte, err error) {
	err = r.row(ctx, qMemberEvent, []any{roomNID, userID}, &client)
	return client, err
}

// OwnRules returns the rules of several users, with their versions: those of the
// same snapshot.
func (r *Reader) OwnRules(ctx context.Context, userIDs []id.UserID, each func(userID id.UserID, version int64, own OwnRules)) error {
	return r.rows(ctx, qOwnRules, []any{userIDs}, func(scan scanFunc) error {
		var userID Text
		var version int64
		var own OwnRules
		if err := scan(&userID, &version, &own.PushRules, &own.Ignored); err != nil {
			return err
		}
		each(id.UserID(userID), version, own)
		return nil
	})
}
