// SPDX-License-Identifier: Apache-2.0

// Package profiles keeps what users say about themselves, and tells the rooms
// they are in when their name or picture changes.
package profiles

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/storage"
)

var _ clientapi.Profile = (*Profiles)(nil)

// Limits of a profile.
//
// Spec: client-server setProfileField: 255 bytes of key, 64 KiB of profile.
const (
	maxKey     = 255
	maxProfile = 64 << 10
)

// Rooms is what a profile needs of the rooms: to carry a change into those
// that a user has joined.
type Rooms interface {
	UpdateProfile(ctx context.Context, user id.UserID) error
}

// Profiles serves the profiles of this server's users.
type Profiles struct {
	DB    *storage.DB
	Rooms Rooms
	Name  id.ServerName
}

// GetUserProfile returns all that a user says.
//
// Spec: client-server getUserProfile.
func (p *Profiles) GetUserProfile(ctx context.Context, req *clientapi.GetUserProfileRequest) (*clientapi.GetUserProfileResponse, error) {
	fields, err := p.profile(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	raw := []byte{'{'}
	for i, f := range fields {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = append(append(api.AppendString(raw, f.Name), ':'), f.Value...)
	}
	out := &clientapi.GetUserProfileResponse{}
	if err := json.Unmarshal(append(raw, '}'), out); err != nil {
		return nil, fmt.Errorf("profile of %s: %w", req.UserID, err)
	}
	return out, nil
}

// profile reads the fields of a user who exists here.
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

// GetProfileField returns one thing that a user says.
//
// Spec: client-server getProfileField.
func (p *Profiles) GetProfileField(ctx context.Context, req *clientapi.GetProfileFieldRequest) (*clientapi.GetProfileFieldResponse, error) {
	fields, err := p.profile(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		if f.Name == req.KeyName {
			return &clientapi.GetProfileFieldResponse{Body: field(f.Name, f.Value)}, nil
		}
	}
	return nil, api.NotFound("The profile of %s has no %q", req.UserID, req.KeyName)
}

func field(name string, value []byte) api.Raw {
	b := append(api.AppendString([]byte{'{'}, name), ':')
	return append(append(b, value...), '}')
}

// SetProfileField says one thing about the caller.
//
// Spec: client-server setProfileField.
func (p *Profiles) SetProfileField(ctx context.Context, who api.Caller, req *clientapi.SetProfileFieldRequest) (*api.Empty, error) {
	if who.User != req.UserID {
		return nil, api.Forbidden("That is not your profile")
	}
	if len(req.KeyName) > maxKey {
		return nil, api.Errorf(400, "M_KEY_TOO_LARGE", "The key is longer than %d bytes", maxKey)
	}
	value := event.Member(req.Body, req.KeyName)
	if value == nil {
		return nil, api.BadJSON("The body has no member %q", req.KeyName)
	}
	if err := checkValue(req.KeyName, value); err != nil {
		return nil, err
	}
	return p.change(ctx, who.User, req.KeyName, func(tx *storage.Writer) error {
		fields, err := tx.Profile(ctx, who.User)
		if err != nil {
			return err
		}
		size := len(field(req.KeyName, value))
		for _, f := range fields {
			if f.Name != req.KeyName {
				size += len(f.Name) + len(f.Value) + len(`"":,`)
			}
		}
		if size > maxProfile {
			return api.Errorf(400, "M_PROFILE_TOO_LARGE", "The profile would be larger than %d bytes", maxProfile)
		}
		return tx.PutProfileField(ctx, who.User, storage.ProfileField{Name: req.KeyName, Value: value})
	})
}

// checkValue holds the fields that the specification defines to their form.
func checkValue(name string, value api.Raw) error {
	switch name {
	case "displayname", "avatar_url", "m.tz":
	default:
		return nil
	}
	text, ok := event.Text(value)
	if !ok {
		return api.BadJSON("%s is not a string", name)
	}
	if name == "avatar_url" && text != "" {
		if _, err := id.ParseMXC(text); err != nil {
			return api.BadJSON("avatar_url: %s", err)
		}
	}
	return nil
}

// DeleteProfileField takes one thing about the caller back.
//
// Spec: client-server deleteProfileField.
func (p *Profiles) DeleteProfileField(ctx context.Context, who api.Caller, req *clientapi.DeleteProfileFieldRequest) (*api.Empty, error) {
	if who.User != req.UserID {
		return nil, api.Forbidden("That is not your profile")
	}
	return p.change(ctx, who.User, req.KeyName, func(tx *storage.Writer) error {
		return tx.DeleteProfileField(ctx, who.User, req.KeyName)
	})
}

// change writes a field and tells the rooms of what they show of a profile.
//
// Spec: client-server "Events on Change of Profile Information".
func (p *Profiles) change(ctx context.Context, user id.UserID, name string, write func(*storage.Writer) error) (*api.Empty, error) {
	err := p.DB.Write(ctx, write)
	if err == nil && (name == "displayname" || name == "avatar_url") {
		err = p.Rooms.UpdateProfile(ctx, user)
	}
	if err != nil {
		return nil, err
	}
	return &api.Empty{}, nil
}
