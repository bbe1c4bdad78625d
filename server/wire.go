// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/ed25519"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/server/accountdata"
	"touchstone.example/server/accounts"
	"touchstone.example/server/clientsync"
	"touchstone.example/server/discovery"
	"touchstone.example/server/event"
	"touchstone.example/server/idclient"
	"touchstone.example/server/keybackup"
	"touchstone.example/server/openid"
	"touchstone.example/server/profiles"
	"touchstone.example/server/push"
	"touchstone.example/server/rooms"
	"touchstone.example/server/strict"
	"touchstone.example/server/syncpart"
)

// features are the slices, each by its package's name.
type features struct {
	accounts  *accounts.Accounts
	discovery *discovery.Discovery
	keybackup *keybackup.KeyBackup
	openid    *openid.OpenID
	profiles  *profiles.Profiles
	push      *push.Push
	rooms     *rooms.Rooms
	sync      *clientsync.Sync
}

// wire builds the features, each from those before it.
func (s *Server) wire(signer event.Signer) *features {
	out := &features{}
	out.accounts = accounts.New(accounts.Deps{
		DB: s.db, Feed: s.feed, Env: s.env, Log: s.log, Name: s.cfg.ServerName,
		Registration: s.cfg.Registration, Passwords: s.cfg.Passwords, WellKnown: s.cfg.WellKnown.Client,
		Limits: s.cfg.RateLimits.Enabled, GuestJoinByName: s.judge.Lenient(strict.GuestJoinByName), Address: api.ClientAddress,
	})
	out.push = push.New(push.Deps{DB: s.db, Feed: s.feed})
	own := signer.Key.Public().(ed25519.PublicKey)
	out.rooms = rooms.New(rooms.Deps{
		DB: s.db, Feed: s.feed, Env: s.env, Log: s.log, Name: s.cfg.ServerName, Signer: signer,
		DefaultVersion: s.cfg.Rooms.DefaultVersion, MemberRules: out.push,
		Departures: rooms.Departures{
			JoinExtraContent:  s.judge.Lenient(strict.JoinExtraContent),
			JoinedProfile:     s.judge.Lenient(strict.JoinedProfile),
			StateIdempotent:   s.judge.Lenient(strict.StateIdempotent),
			CreatorPowerLevel: s.judge.Departed(strict.CreatorPowerLevel, "/power_level_content_override/users"),
		},
		Verify: func(ev *event.Event, server id.ServerName) bool {
			return server == signer.Name && ev.VerifySignature(server, signer.KeyID, own) == nil
		},
		Identity: idclient.New(idclient.Options{AllowPrivate: s.cfg.Federation.AllowPrivate, RootCAs: s.roots, Log: s.log}),
	})
	out.profiles = &profiles.Profiles{
		DB: s.db, Env: s.env, Jobs: s.jobs, Name: s.cfg.ServerName, AnyAvatar: s.judge.Lenient(strict.ProfileAvatarURL),
		EmptyAvatar: s.judge.Lenient(strict.ProfileAvatarEmpty), UnsetIsEmpty: s.judge.Lenient(strict.ProfileUnset),
	}
	out.keybackup = keybackup.New(keybackup.Deps{
		DB: s.db, OpaqueAuthData: s.judge.Departed(strict.BackupAuthData, "/auth_data"),
	})
	out.openid = openid.New(openid.Deps{DB: s.db, Env: s.env, Name: s.cfg.ServerName})
	out.sync = clientsync.New(clientsync.Deps{
		DB: s.db, Feed: s.feed, Env: s.env, Log: s.log,
		Parts:          []syncpart.Part{push.SyncPart{Push: out.push}, accountdata.SyncPart{}},
		Stopping:       s.waiting,
		Turn:           s.limits.Sync,
		ForgottenLeave: s.judge.Lenient(strict.ForgottenLeave),
		OnlyFields:     s.judge.Lenient(strict.EventFields),
		JoinedLimited:  s.judge.Lenient(strict.JoinedLimited),
	})
	out.discovery = &discovery.Discovery{
		DB: s.db, Writable: s.writable, WellKnown: s.cfg.WellKnown, Program: s.build.Version, RoomVersion: s.cfg.Rooms.DefaultVersion,
	}
	s.jobs.Handle(accounts.JobDevices, out.accounts.ForgetDevices)
	s.jobs.Handle(rooms.JobProfile, out.rooms.UpdateProfile)
	s.jobs.Handle(rooms.JobGuests, out.rooms.CloseToGuests)
	return out
}
