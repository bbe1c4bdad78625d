// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/ed25519"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/server/accountdata"
	"touchstone.example/server/accounts"
	"touchstone.example/server/clientsync"
	"touchstone.example/server/config"
	"touchstone.example/server/discovery"
	"touchstone.example/server/e2ee"
	"touchstone.example/server/event"
	"touchstone.example/server/idclient"
	"touchstone.example/server/keybackup"
	"touchstone.example/server/membership"
	"touchstone.example/server/messages"
	"touchstone.example/server/openid"
	"touchstone.example/server/presence"
	"touchstone.example/server/profiles"
	"touchstone.example/server/push"
	"touchstone.example/server/pushrules"
	"touchstone.example/server/receipts"
	"touchstone.example/server/roomcreate"
	"touchstone.example/server/rooms"
	"touchstone.example/server/strict"
	"touchstone.example/server/syncpart"
	"touchstone.example/server/todevice"
	"touchstone.example/server/typing"
)

// features are the slices, by package name.
type features struct {
	accountdata *accountdata.AccountData
	accounts    *accounts.Accounts
	discovery   *discovery.Discovery
	e2ee        *e2ee.E2EE
	keybackup   *keybackup.KeyBackup
	membership  *membership.Membership
	messages    *messages.Messages
	openid      *openid.OpenID
	presence    *presence.Presence
	profiles    *profiles.Profiles
	push        *push.Push
	receipts    *receipts.Receipts
	roomcreate  *roomcreate.RoomCreate
	sync        *clientsync.Sync
	todevice    *todevice.ToDevice
	typing      *typing.Typing
}

// wire builds the features in order: each may use those before it.
func (s *Server) wire(signer event.Signer) *features {
	out := &features{}
	out.accounts = accounts.New(accounts.Deps{
		DB: s.db, Feed: s.feed, Env: s.env, Log: s.log, Name: s.cfg.ServerName,
		Registration: s.cfg.Registration, Passwords: s.cfg.Passwords, WellKnown: s.cfg.WellKnown.Client,
		Limits: s.cfg.RateLimits.Enabled, GuestJoinByName: s.judge.Lenient(strict.GuestJoinByName), Address: api.ClientAddress,
	})
	out.push = push.New(push.Deps{DB: s.db, Feed: s.feed, Predefined: s.predefined()})
	engine := s.wireRooms(out, signer)
	out.profiles = &profiles.Profiles{
		DB: s.db, Env: s.env, Jobs: s.jobs, Name: s.cfg.ServerName, AnyAvatar: s.judge.Lenient(strict.ProfileAvatarURL),
		EmptyAvatar: s.judge.Lenient(strict.ProfileAvatarEmpty), UnsetIsEmpty: s.judge.Lenient(strict.ProfileUnset),
	}
	out.e2ee = e2ee.New(e2ee.Deps{
		DB: s.db, Feed: s.feed, Env: s.env, Log: s.log, Name: s.cfg.ServerName, Confirm: out.accounts,
		Departures: e2ee.Departures{
			UnsignedDevice: s.judge.Departed(strict.DeviceKeysSigned, "/device_keys/signatures"),
			OtherIdentity:  s.judge.Departed(strict.DeviceKeysSame, "/device_keys/keys"),
			NullList:       s.judge.Departed(strict.NullLists, "/device_keys"),
		},
	})
	out.todevice = todevice.New(todevice.Deps{DB: s.db, Feed: s.feed, Env: s.env, Log: s.log, Name: s.cfg.ServerName})
	s.work.Go("acknowledged messages", out.todevice.Run)
	out.accountdata = accountdata.New(accountdata.Deps{DB: s.db, Feed: s.feed, PushRules: out.push.Content})
	out.keybackup = keybackup.New(keybackup.Deps{
		DB: s.db, OpaqueAuthData: s.judge.Departed(strict.BackupAuthData, "/auth_data"),
	})
	out.openid = openid.New(openid.Deps{DB: s.db, Env: s.env, Name: s.cfg.ServerName})
	out.receipts = receipts.New(receipts.Deps{DB: s.db, Feed: s.feed, Env: s.env})
	out.typing = typing.New(typing.Deps{DB: s.db, Feed: s.feed, Env: s.env, Log: s.log})
	s.work.Go("typing", out.typing.Run)
	out.presence = presence.New(presence.Deps{DB: s.db, Feed: s.feed, Env: s.env, Log: s.log, Off: !s.cfg.Presence.Enabled})
	s.work.Go("presence", out.presence.Run)
	out.sync = clientsync.New(clientsync.Deps{
		DB: s.db, Feed: s.feed, Env: s.env, Log: s.log,
		Parts: []syncpart.Part{
			push.SyncPart{Push: out.push}, accountdata.SyncPart{}, receipts.SyncPart{}, typing.SyncPart{}, presence.SyncPart{},
			out.todevice, out.e2ee,
		},
		Standing:       out.e2ee.Counts(),
		Polls:          out.presence.Polls,
		Stopping:       s.waiting,
		Turn:           s.limits.Sync,
		ForgottenLeave: s.judge.Lenient(strict.ForgottenLeave),
		OnlyFields:     s.judge.Lenient(strict.EventFields),
		JoinedLimited:  s.judge.Lenient(strict.JoinedLimited),
	})
	out.discovery = &discovery.Discovery{
		DB: s.db, Writable: s.writable, WellKnown: s.cfg.WellKnown, Program: s.build.Version, RoomVersion: s.cfg.Rooms.DefaultVersion, Unstable: s.cfg.Unstable,
	}
	s.jobs.Handle(accounts.JobDevices, out.accounts.ForgetDevices)
	s.jobs.Handle(todevice.JobBound, out.todevice.Bound)
	s.jobs.Handle(rooms.JobProfile, engine.UpdateProfile)
	s.jobs.Handle(rooms.JobGuests, engine.RemoveGuests)
	return out
}

// wireRooms builds the way into rooms and the slices that serve its endpoints.
func (s *Server) wireRooms(out *features, signer event.Signer) *rooms.Rooms {
	identity := idclient.New(idclient.Options{AllowPrivate: s.cfg.Federation.AllowPrivate, RootCAs: s.roots, Log: s.log})
	own := signer.Key.Public().(ed25519.PublicKey)
	engine := rooms.New(rooms.Deps{
		DB: s.db, Feed: s.feed, Env: s.env, Log: s.log, Name: s.cfg.ServerName, Signer: signer,
		StateIdempotent: s.judge.Lenient(strict.StateIdempotent), MemberRules: out.push, Predefined: s.predefined(),
		Verify: func(ev *event.Event, server id.ServerName) bool {
			return server == signer.Name && ev.VerifySignature(server, signer.KeyID, own) == nil
		},
		Identity: identity,
	})
	out.messages = messages.New(messages.Deps{
		DB: s.db, Feed: s.feed, Env: s.env, Rooms: engine, JoinedProfile: s.judge.Lenient(strict.JoinedProfile),
	})
	out.membership = membership.New(membership.Deps{
		DB: s.db, Rooms: engine, Identity: identity, JoinExtraContent: s.judge.Lenient(strict.JoinExtraContent),
	})
	out.roomcreate = roomcreate.New(roomcreate.Deps{
		DB: s.db, Env: s.env, Name: s.cfg.ServerName, Rooms: engine, Identity: identity,
		DefaultVersion:    s.cfg.Rooms.DefaultVersion,
		CreatorPowerLevel: s.judge.Departed(strict.CreatorPowerLevel, "/power_level_content_override/users"),
	})
	return engine
}

// predefined are the push rules that every user has.
func (s *Server) predefined() *pushrules.Predefined {
	if s.cfg.Proposed(config.MSC3930) {
		return pushrules.WithPolls
	}
	return pushrules.Standard
}
