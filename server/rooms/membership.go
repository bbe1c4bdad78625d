// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"maps"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/server/event"
)

// A transition is a change of one user's membership that a client asks for.
type transition struct {
	target     id.UserID
	membership string
	reason     raw.Opt[string]
	// check looks at the target's membership so far ("" if none) and may
	// refuse what the authorization rules let pass, or report that there is
	// nothing to do. Whom the rules refuse does not learn what it says.
	check func(was string) (nothing bool, err error)
	// extra adds members to the content.
	extra raw.Object
	// invite, if set, builds the invitation that goes before a join.
	invite func(ctx context.Context, h *head) (*Planned, error)
}

// move makes one membership event in a room.
func (r *Rooms) move(ctx context.Context, who api.Caller, roomID id.RoomID, t transition) error {
	nid, err := r.NID(ctx, roomID)
	if err != nil {
		return answerTo(err, roomID)
	}
	key := event.StateKey{Type: event.TypeMember, Key: string(t.target)}
	_, err = r.add(ctx, nid, func(ctx context.Context, h *head) (*Plan, error) {
		if err := h.ensure(ctx, r.db, key); err != nil {
			return nil, err
		}
		was := ""
		if s := h.get(key.Type, key.Key); s != nil {
			was = s.Membership()
		}
		var refusal error
		if t.check != nil {
			nothing, err := t.check(was)
			if nothing {
				return &Plan{}, nil
			}
			refusal = err
		}
		content, also, err := r.memberContent(ctx, t.target, t.membership, t.reason)
		if err != nil {
			return nil, err
		}
		maps.Copy(content, t.extra)
		out := &Plan{Also: also}
		if t.invite != nil {
			p, err := t.invite(ctx, h)
			if err != nil {
				return nil, err
			}
			if was != "invite" { // who is invited need not be invited again
				h, was, out.Events = h.after(p), "invite", append(out.Events, p)
			}
		}
		d := Draft{Sender: who.User, Type: event.TypeMember, StateKey: &key.Key, Content: content.Encode()}
		if t.membership == "join" {
			if err := r.admitGuest(ctx, h, who.Guest); err != nil {
				return nil, err
			}
			if err := r.vouch(ctx, h, t.target, was, content); err != nil {
				return nil, err
			}
			d.Content = content.Encode()
		}
		p, err := r.extend(ctx, h, d)
		if err == nil {
			err = refusal
		}
		if err != nil {
			return nil, err
		}
		out.Events = append(out.Events, p)
		return out, nil
	})
	return answerTo(err, roomID)
}

// memberContent is the content of a membership event of one of our users, and
// what the commit of a join has to see to: the profile goes with invitations and
// joins, and a join shows what it is then.
//
// Spec: client-server m.room.member; "Profiles", "Events on Change of Profile
// Information".
func (r *Rooms) memberContent(ctx context.Context, user id.UserID, membership string, reason raw.Opt[string]) (raw.Object, Also, error) {
	content := raw.Object{"membership": membership}
	if reason.Set {
		content["reason"] = reason.Value
	}
	if membership != "join" && membership != "invite" && membership != "knock" || user.Server() != r.name {
		return content, nil, nil
	}
	p, err := r.readProfile(ctx, user)
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(content, p.shown)
	if membership != "join" {
		return content, nil, nil
	}
	return content, p.hold, nil
}

// MayInvite refuses invitations of users that this server cannot reach.
func (r *Rooms) MayInvite(target id.UserID) error {
	if target.Server() != r.name {
		return refuse(RuleFederation, "User %s is on another server, and this server does not federate yet", target)
	}
	return nil
}

// MayInviteByState is MayInvite for an invitation that a client writes as state.
func (r *Rooms) MayInviteByState(typ, key string, content raw.Raw) error {
	target, err := id.ParseUserID(key)
	if err != nil || typ != event.TypeMember || membershipIn(content) != "invite" {
		return nil
	}
	return r.MayInvite(target)
}
