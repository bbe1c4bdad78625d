// SPDX-License-Identifier: Apache-2.0

// Package profiles stores users' profiles. When a display name or avatar changes, it
// puts a job that updates the user's rooms. It must not know how rooms show a member.
package profiles

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/env"
	"touchstone.example/server/event"
	"touchstone.example/server/rooms"
	"touchstone.example/storage"
)

var _ clientapi.Profile = (*Profiles)(nil)

// The fields that the specification defines.
const (
	fieldName   = "displayname"
	fieldAvatar = "avatar_url"
	fieldZone   = "m.tz"
)

// Limits of a profile, in bytes.
//
// Spec: client-server setProfileField: 255 bytes of key, less than 64 KiB of profile.
// Servers may limit single fields: names and avatars are in every membership event,
// whose size is limited.
const (
	maxKey     = 255
	maxProfile = 64<<10 - 1
	maxShown   = 1024
)

// Jobs waits for a job.
type Jobs interface {
	Wait(ctx context.Context, kind, key string, atMost time.Duration) error
}

// Profiles serves the profiles of this server's users.
type Profiles struct {
	DB   *storage.DB
	Env  *env.Env
	Jobs Jobs
	Name id.ServerName
	// AnyAvatar is a departure from the specification: avatar_url may be any string.
	AnyAvatar bool
	// EmptyAvatar is another: an empty avatar_url removes the avatar. Element has no
	// other way.
	EmptyAvatar bool
	// UnsetIsEmpty is another: the answer for a display name or avatar that was never
	// set is an empty object, not 404.
	UnsetIsEmpty bool
}

// GetUserProfile returns all fields of a user's profile.
//
// Spec: client-server getUserProfile.
func (p *Profiles) GetUserProfile(ctx context.Context, req *clientapi.GetUserProfileRequest) (*clientapi.GetUserProfileResponse, error) {
	fields, err := p.profile(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	out := &clientapi.GetUserProfileResponse{}
	for _, f := range fields {
		switch s, _ := event.Text(f.Value); f.Name {
		case fieldName:
			out.Displayname = api.Some(s)
		case fieldAvatar:
			out.AvatarURL = api.Some(id.MXC(s)) // any string, see AnyAvatar
		case fieldZone:
			out.TZ = api.Some(s)
		default:
			if out.Extra == nil {
				out.Extra = map[string]api.Raw{}
			}
			out.Extra[f.Name] = f.Value
		}
	}
	return out, nil
}

// profile reads the profile of a user of this server.
//
// Spec: client-server "Profiles", "Server behaviour": 404 if the user does not exist.
func (p *Profiles) profile(ctx context.Context, user id.UserID) ([]storage.ProfileField, error) {
	if user.Server() != p.Name {
		return nil, api.NotFound("User %s is on another server, and this server does not federate yet", user)
	}
	var fields []storage.ProfileField
	err := p.DB.Read(ctx, func(tx *storage.Reader) error {
		if _, err := tx.User(ctx, user); err != nil {
			return err
		}
		var err error
		fields, err = tx.Profile(ctx, user)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, api.NotFound("There is no user %s", user)
	}
	if err != nil {
		return nil, fmt.Errorf("profile of %s: %w", user, err)
	}
	return fields, nil
}

// GetProfileField returns one field of a user's profile.
//
// Spec: client-server getProfileField.
func (p *Profiles) GetProfileField(ctx context.Context, req *clientapi.GetProfileFieldRequest) (*clientapi.GetProfileFieldResponse, error) {
	fields, err := p.profile(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		if f.Name == req.KeyName {
			return &clientapi.GetProfileFieldResponse{Body: jsonObject(f)}, nil
		}
	}
	if p.UnsetIsEmpty && (req.KeyName == fieldName || req.KeyName == fieldAvatar) {
		return &clientapi.GetProfileFieldResponse{Body: jsonObject()}, nil
	}
	return nil, api.NotFound("The profile of %s has no %q", req.UserID, req.KeyName)
}

// jsonObject encodes fields as a JSON object.
func jsonObject(fields ...storage.ProfileField) api.Raw {
	b := api.Raw{'{'}
	for _, f := range fields {
		b = append(api.AppendName(b, f.Name), f.Value...)
	}
	return append(b, '}')
}

// SetProfileField sets one field of the caller's profile.
//
// Spec: client-server setProfileField.
func (p *Profiles) SetProfileField(ctx context.Context, who api.Caller, req *clientapi.SetProfileFieldRequest) (*api.Empty, error) {
	if err := mayChange(who, req.UserID, req.KeyName); err != nil {
		return nil, err
	}
	if len(req.KeyName) > maxKey {
		return nil, api.Errorf(http.StatusBadRequest, "M_KEY_TOO_LARGE", "The key is longer than %d bytes", maxKey)
	}
	if !isKey(req.KeyName) {
		return nil, badKey()
	}
	var body map[string]api.Raw
	if err := json.Unmarshal(req.Body, &body); err != nil {
		return nil, api.BadJSON("The body is not an object")
	}
	value, ok := body[req.KeyName]
	if !ok {
		return nil, api.MissingParam("The body has no member %q", req.KeyName)
	}
	field := storage.ProfileField{Name: req.KeyName, Value: value}
	if field.Name == fieldAvatar && p.EmptyAvatar && string(value) == `""` {
		return p.change(ctx, who.User, field.Name, deleteField(ctx, who.User, field.Name))
	}
	if err := p.checkValue(field); err != nil {
		return nil, err
	}
	return p.change(ctx, who.User, field.Name, func(tx *storage.Writer) error {
		fields, err := tx.Profile(ctx, who.User)
		if err != nil {
			return err
		}
		if len(jsonObject(setField(fields, field)...)) > maxProfile {
			return api.Errorf(http.StatusBadRequest, "M_PROFILE_TOO_LARGE", "The profile would be larger than %d bytes", maxProfile)
		}
		return tx.PutProfileField(ctx, who.User, field)
	})
}

// setField returns fields with one set.
func setField(fields []storage.ProfileField, set storage.ProfileField) []storage.ProfileField {
	out := []storage.ProfileField{set}
	for _, f := range fields {
		if f.Name != set.Name {
			out = append(out, f)
		}
	}
	return out
}

// mayChange lets users change their own profile, guests only their name.
//
// Spec: client-server "Guest Access".
func mayChange(who api.Caller, user id.UserID, key string) error {
	if who.User != user {
		return api.Forbidden("That is not your profile")
	}
	if who.Guest && key != fieldName {
		return api.Errorf(http.StatusForbidden, "M_GUEST_ACCESS_FORBIDDEN", "Guests may change their display name only")
	}
	return nil
}

// isKey reports whether a profile may have a field of that name: a defined one, or a
// custom one with a namespace.
//
// Spec: client-server setProfileField, "keyName"; appendices "Common
// Namespaced Identifier Grammar".
func isKey(name string) bool {
	switch name {
	case fieldName, fieldAvatar:
		return true
	}
	namespace, rest, ok := strings.Cut(name, ".")
	return ok && namespace != "" && rest != "" && id.IsNamespaced(name) &&
		!strings.Contains(name, "..") && !strings.HasSuffix(name, ".")
}

func badKey() *api.Error {
	return api.InvalidParam("The name of a profile field is displayname, avatar_url or namespaced, as com.example.colour")
}

// checkValue checks the form of fields that the specification defines.
//
// Spec: client-server setProfileField, body.
func (p *Profiles) checkValue(f storage.ProfileField) error {
	switch f.Name {
	case fieldName, fieldAvatar, fieldZone:
	default:
		return nil
	}
	s, ok := event.Text(f.Value)
	if !ok {
		return api.BadJSON("%s is not a string", f.Name)
	}
	if len(s) > maxShown {
		return api.TooLarge("%s has at most %d bytes", f.Name, maxShown)
	}
	if f.Name == fieldAvatar && !p.AnyAvatar {
		if _, err := id.ParseMXC(s); err != nil {
			return api.BadJSON("avatar_url: %s", err)
		}
	}
	return nil
}

// DeleteProfileField deletes one field of the caller's profile.
//
// Spec: client-server deleteProfileField.
func (p *Profiles) DeleteProfileField(ctx context.Context, who api.Caller, req *clientapi.DeleteProfileFieldRequest) (*api.Empty, error) {
	if err := mayChange(who, req.UserID, req.KeyName); err != nil {
		return nil, err
	}
	if !isKey(req.KeyName) {
		return nil, badKey()
	}
	return p.change(ctx, who.User, req.KeyName, deleteField(ctx, who.User, req.KeyName))
}

func deleteField(ctx context.Context, user id.UserID, key string) func(*storage.Writer) error {
	return func(tx *storage.Writer) error { return tx.DeleteProfileField(ctx, user, key) }
}

// roomsTimeout is how long the answer to a change waits for the rooms' updates. A user
// in many rooms is answered before all are done.
const roomsTimeout = time.Second

// change writes a field and, if rooms show it, puts the job that updates the user's
// rooms.
//
// Spec: client-server "Events on Change of Profile Information".
func (p *Profiles) change(ctx context.Context, user id.UserID, name string, write func(*storage.Writer) error) (*api.Empty, error) {
	shown := name == fieldName || name == fieldAvatar
	err := p.DB.Write(ctx, func(tx *storage.Writer) error {
		if !shown {
			return write(tx)
		}
		if err := tx.ChangeProfile(ctx, user); err != nil {
			return err
		}
		if err := write(tx); err != nil {
			return err
		}
		return tx.PutJob(ctx, rooms.JobProfile, string(user), nil, 0, p.Env.NowTS())
	})
	if err == nil && shown {
		err = p.Jobs.Wait(ctx, rooms.JobProfile, string(user), roomsTimeout)
	}
	if err != nil {
		return nil, err
	}
	return &api.Empty{}, nil
}
