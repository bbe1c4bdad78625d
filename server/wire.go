// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-openapi/runtime"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/ops"
	"touchstone.example/server/accounts"
	"touchstone.example/server/clientsync"
	"touchstone.example/server/discovery"
	"touchstone.example/server/event"
	"touchstone.example/server/idclient"
	"touchstone.example/server/profiles"
	"touchstone.example/server/push"
	"touchstone.example/server/rooms"
	"touchstone.example/server/strict"
	"touchstone.example/storage"
)

// slices are the features, each by its package's name.
type slices struct {
	accounts  *accounts.Accounts
	discovery *discovery.Discovery
	profiles  *profiles.Profiles
	push      *push.Push
	rooms     *rooms.Rooms
	sync      *clientsync.Sync
}

// wire builds the features, each from those before it.
func (s *Server) wire(signer event.Signer) *slices {
	out := &slices{}
	out.accounts = accounts.New(accounts.Deps{
		DB: s.db, Feed: s.feed, Env: s.env, Log: s.log, Name: s.cfg.ServerName,
		Registration: s.cfg.Registration, Passwords: s.cfg.Passwords, WellKnown: s.cfg.WellKnown.Client,
		Limits: s.cfg.RateLimits.Enabled, GuestJoinByName: s.judge.Lenient(strict.GuestJoinByName),
	})
	own := signer.Key.Public().(ed25519.PublicKey)
	out.rooms = rooms.New(rooms.Deps{
		DB: s.db, Feed: s.feed, Env: s.env, Log: s.log, Name: s.cfg.ServerName, Signer: signer,
		DefaultVersion: s.cfg.Rooms.DefaultVersion,
		Departures: rooms.Departures{
			JoinExtraContent:  s.judge.Lenient(strict.JoinExtraContent),
			JoinedProfile:     s.judge.Lenient(strict.JoinedProfile),
			StateIdempotent:   s.judge.Lenient(strict.StateIdempotent),
			CreatorPowerLevel: s.judge.Departed(strict.CreatorPowerLevel, &ops.ClientCreateRoom, "/power_level_content_override/users"),
		},
		Verify: func(ev *event.Event, server id.ServerName) bool {
			return server == signer.Name && ev.VerifySignature(server, signer.KeyID, own) == nil
		},
		Identity: idclient.New(idclient.Options{AllowPrivate: s.cfg.Federation.AllowPrivate, RootCAs: s.roots, Log: s.log}),
	})
	out.profiles = &profiles.Profiles{
		DB: s.db, Rooms: out.rooms, Name: s.cfg.ServerName, AnyAvatar: s.judge.Lenient(strict.ProfileAvatarURL),
		UnsetIsEmpty: s.judge.Lenient(strict.ProfileUnset),
	}
	out.push = &push.Push{}
	out.sync = clientsync.New(clientsync.Deps{
		DB: s.db, Feed: s.feed, Env: s.env, Log: s.log, PushRules: out.push.Content,
		Stopping:       s.stopping,
		ForgottenLeave: s.judge.Lenient(strict.ForgottenLeave),
		JoinedLimited:  s.judge.Lenient(strict.JoinedLimited),
	})
	out.discovery = &discovery.Discovery{DB: s.db, WellKnown: s.cfg.WellKnown, Program: s.build.Version, RoomVersion: s.cfg.Rooms.DefaultVersion}
	return out
}

// authenticators say who makes a request, for each kind of operation.
func (s *slices) authenticators() map[api.Auth]runtime.Authenticator {
	user := api.TokenAuthenticator(s.accounts.Caller)
	return map[api.Auth]runtime.Authenticator{
		api.AuthUser: user,
		api.AuthAppService: api.TokenAuthenticator(func(r *http.Request, token string) (api.Caller, error) {
			if _, err := s.accounts.Caller(r, token); err != nil {
				return api.Caller{}, err
			}
			return api.Caller{}, api.Forbidden("Only application services may do this")
		}),
		api.AuthServer: api.SignatureAuthenticator(func(*http.Request, []api.XMatrix) (id.ServerName, error) {
			return "", api.Unauthorized("This server does not federate yet")
		}),
	}
}

// Names of the server's own values in the database.
const (
	infoServerName = "server_name"
	infoSigningKey = "signing_key"
)

// identity makes the database this server's, or checks that it is: its name
// cannot change, since it is in every user and room, and its signing key is
// made once.
func (s *Server) identity(ctx context.Context) (event.Signer, error) {
	fresh := event.Signer{
		KeyID: id.KeyID("ed25519:a_" + s.env.Rand.Token("signing key id", "", 6)),
		Key:   ed25519.NewKeyFromSeed(s.env.Rand.Bytes("signing key", "", ed25519.SeedSize)),
	}
	var name, key string
	err := s.db.Write(ctx, func(tx *storage.Writer) (err error) {
		if name, err = tx.EnsureServerInfo(ctx, infoServerName, string(s.cfg.ServerName)); err != nil {
			return err
		}
		key, err = tx.EnsureServerInfo(ctx, infoSigningKey, encodeKey(fresh))
		return err
	})
	if err != nil {
		return event.Signer{}, fmt.Errorf("read the server's identity: %w", err)
	}
	if name != string(s.cfg.ServerName) {
		return event.Signer{}, fmt.Errorf("the database belongs to a server named %q, and the settings say %q; a server's name cannot change", name, s.cfg.ServerName)
	}
	signer, err := decodeKey(key)
	signer.Name = s.cfg.ServerName
	return signer, err
}

func encodeKey(s event.Signer) string {
	return string(s.KeyID) + " " + event.EncodeBase64(s.Key.Seed())
}

func decodeKey(text string) (s event.Signer, err error) {
	var keyID, seed string
	if _, err := fmt.Sscanf(text, "%s %s", &keyID, &seed); err != nil {
		return s, errors.New("the signing key in the database is not in the form that this program writes")
	}
	raw, err := event.DecodeBase64(seed)
	if err != nil || len(raw) != ed25519.SeedSize {
		return s, errors.New("the signing key in the database is damaged")
	}
	return event.Signer{KeyID: id.KeyID(keyID), Key: ed25519.NewKeyFromSeed(raw)}, nil
}
