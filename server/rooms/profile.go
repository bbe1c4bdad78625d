// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/server/env"
	"touchstone.example/server/event"
	"touchstone.example/server/jobs"
	"touchstone.example/storage"
)

// JobProfile is the kind of the jobs that carry a user's name and picture into
// the rooms that the user has joined. The key is the user.
const JobProfile = "profile"

// roomsAtOnce bounds the rooms that are read at once.
const roomsPerStep = 100

// A profileProgress is how far a user's rooms show the profile.
type profileProgress struct {
	After  int64  `json:"after"`            // rooms up to this number do
	Failed string `json:"failed,omitempty"` // why one of them does not
}

// UpdateProfile is the handler of JobProfile. It shows what the profile is when it
// runs. A room whose rules refuse it keeps the old one.
//
// Spec: client-server "Events on Change of Profile Information".
func (r *Rooms) UpdateProfile(ctx context.Context, j *jobs.Job) (done bool, err error) {
	user := id.UserID(j.Key())
	var at profileProgress
	if p := j.Progress(); len(p) > 0 {
		if err := json.Unmarshal(p, &at); err != nil {
			return false, fmt.Errorf("progress of the profile of %s: %w", user, err)
		}
	}
	spent := env.Stopwatch()
	var fresh raw.Object
	var rooms []int64
	err = r.db.Read(ctx, func(tx *storage.Reader) error {
		if fresh, err = profileMembers(ctx, tx, user); err != nil {
			return err
		}
		rooms, err = tx.RoomsAfter(ctx, user, "join", at.After, roomsPerStep)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("profile and rooms of %s: %w", user, err)
	}
	done = len(rooms) < roomsPerStep
	for i, nid := range rooms {
		if i > 0 && spent() > jobs.Slice {
			done = false
			break
		}
		at.After = nid
		if err := r.updateMember(ctx, nid, user, fresh, j, at); err != nil {
			if ctx.Err() != nil || errors.Is(err, storage.ErrLeaseLost) {
				return false, err
			}
			at.Failed = fmt.Sprintf("room %d: %s", nid, err) // the others may be better
		}
	}
	if done && at.Failed != "" { // all of them once more, later
		return false, errors.Join(errors.New(at.Failed), r.saveProgress(ctx, j, nil))
	}
	if done {
		return true, nil
	}
	return false, r.saveProgress(ctx, j, at.encode())
}

func (p profileProgress) encode() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic("rooms: " + err.Error())
	}
	return b
}

func (r *Rooms) saveProgress(ctx context.Context, j *jobs.Job, progress []byte) error {
	return r.db.Write(ctx, func(tx *storage.Writer) error { return j.Save(ctx, tx, progress) })
}

// shownOf is what rooms show of a profile.
//
// Spec: client-server "Profiles", "Events on Change of Profile Information".
func profileMembers(ctx context.Context, tx *storage.Reader, user id.UserID) (raw.Object, error) {
	fields, err := tx.Profile(ctx, user)
	shown := raw.Object{}
	for _, f := range fields {
		if f.Name == "displayname" || f.Name == "avatar_url" {
			shown[f.Name] = raw.Raw(f.Value)
		}
	}
	return shown, err
}

// A profile is what rooms show of a user, as of a change.
type profile struct {
	user    id.UserID
	shown   raw.Object
	version int64
}

func (r *Rooms) readProfile(ctx context.Context, user id.UserID) (p profile, err error) {
	p.user = user
	err = r.db.Read(ctx, func(tx *storage.Reader) error {
		if p.version, err = tx.ProfileVersion(ctx, user); err != nil {
			return err
		}
		p.shown, err = profileMembers(ctx, tx, user)
		return err
	})
	if err != nil {
		return p, fmt.Errorf("profile of %s: %w", user, err)
	}
	return p, nil
}

// hold has a commit that shows the profile planned again if the profile is another
// one by now. If it changes later, the job for that sees what was committed here.
func (p *profile) checkUnchanged(ctx context.Context, tx *storage.Writer) error {
	now, err := tx.HoldProfile(ctx, p.user)
	if err == nil && now != p.version {
		err = storage.ErrConflict
	}
	return err
}

// ofTheJoin are the members of content that say how the user came in. What
// follows the join must not say it again: nobody vouches for it.
//
// Spec: client-server m.room.member.
var joinOnlyMembers = []string{"reason", "third_party_invite", "join_authorised_via_users_server"}

// show makes content show a profile, and reports whether it did not yet.
func applyProfile(o, profile raw.Object) (changed bool) {
	for _, name := range []string{"displayname", "avatar_url"} {
		was, had := o[name].(raw.Raw)
		is, has := profile[name].(raw.Raw)
		if had == has && sameText(was, is) {
			continue
		}
		delete(o, name)
		if has {
			o[name] = is
		}
		changed = true
	}
	return changed
}

// sameText reports whether two JSON strings are the same, or both absent.
func sameText(a, b raw.Raw) bool {
	s, isText := event.Text(a)
	other, isTextToo := event.Text(b)
	return isText == isTextToo && s == other
}

// updateMember makes a room show a profile, if the user is in it, and notes in the
// same transaction how far the job has come.
func (r *Rooms) updateMember(ctx context.Context, roomNID int64, user id.UserID, fresh raw.Object, j *jobs.Job, at profileProgress) error {
	key := event.StateKey{Type: event.TypeMember, Key: string(user)}
	_, err := r.runJob(ctx, roomNID, func(ctx context.Context, h *head) (*Plan, error) {
		if err := h.ensure(ctx, r.db, key); err != nil {
			return nil, err
		}
		now := h.get(key.Type, key.Key)
		if now == nil || now.Membership() != "join" {
			return &Plan{}, nil
		}
		content, err := raw.Members(now.Content)
		if err != nil {
			return nil, err
		}
		if !applyProfile(content, fresh) {
			return &Plan{}, nil
		}
		for _, name := range joinOnlyMembers {
			delete(content, name)
		}
		p, err := r.buildEvent(ctx, h, Draft{Sender: user, Type: key.Type, StateKey: &key.Key, Content: content.Encode()})
		if err != nil {
			return nil, err
		}
		save := func(ctx context.Context, tx *storage.Writer) error { return j.Save(ctx, tx, at.encode()) }
		return &Plan{Events: []*Planned{p}, ExtraWrites: save, Alone: true}, nil
	})
	if Refused(err) {
		return nil
	}
	return err
}
