// SPDX-License-Identifier: Apache-2.0

// Package e2ee keeps the public keys of users and of their devices, gives them to
// who asks, and tells clients when those of others have changed. It must not know
// what anybody encrypts with them.
//
// Spec: client-server "End-to-End Encryption".
package e2ee

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/devicekeys"
	"touchstone.example/server/env"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

var (
	_ clientapi.Keys         = (*E2EE)(nil)
	_ clientapi.CrossSigning = (*E2EE)(nil)
)

// Deps are what E2EE works with.
type Deps struct {
	DB   *storage.DB
	Feed *feed.Feed
	Env  *env.Env
	Log  *slog.Logger
	Name id.ServerName
	// Confirm has users prove that they are who they are.
	Confirm Confirmer
	// Remote asks other servers for the keys of their users; nil: none can be asked.
	Remote Remote
	Departures
}

// Departures are where deployed clients depart from the specification. Each notes
// one and says whether it is accepted; nil accepts none.
type Departures struct {
	// UnsignedDevice is a device that has not signed its keys (rule device-keys-signed).
	UnsignedDevice func(context.Context) bool
	// OtherIdentity is a device that changes its identity keys (rule device-keys-same).
	OtherIdentity func(context.Context) bool
	// NullList is null for a list of devices, which stands for an empty one (rule
	// null-lists).
	NullList func(context.Context) bool
}

func accepts(ctx context.Context, departure func(context.Context) bool) bool {
	return departure != nil && departure(ctx)
}

// A Confirmer goes through user-interactive authentication.
type Confirmer interface {
	// Confirm returns once the caller has proved to be the user, and else with the
	// answer that asks for it. What was proved is good for one operation; done is part
	// of the transaction that does it, so that it is done once.
	Confirm(ctx context.Context, who api.Caller, operation string, auth *clientapi.AuthData) (done func(context.Context, *storage.Writer) error, err error)
}

// Remote asks other servers for the keys of their users.
type Remote interface {
	// QueryKeys asks for devices of users, no device for all, and for the users'
	// cross-signing keys. A server that cannot be asked in time is in failures.
	QueryKeys(ctx context.Context, users map[id.UserID][]string, timeout time.Duration) (keys *RemoteKeys, failures map[id.ServerName]error)
	// ClaimKeys claims one-time keys of users' devices by algorithm.
	ClaimKeys(ctx context.Context, users map[id.UserID]map[string]string, timeout time.Duration) (keys map[id.UserID]map[string]map[string]api.Raw, failures map[id.ServerName]error)
}

// RemoteKeys are what other servers say of their users.
type RemoteKeys struct {
	Devices     map[id.UserID]map[string]clientapi.QueriedDeviceKeys
	Master      map[id.UserID]clientapi.CrossSigningKey
	SelfSigning map[id.UserID]clientapi.CrossSigningKey
}

// E2EE serves the keys of one server's users.
type E2EE struct{ Deps }

// New returns the keys of a database.
func New(d Deps) *E2EE { return &E2EE{d} }

// defaultTimeout is how long other servers are waited for.
//
// Spec: client-server queryKeys: "10 seconds is the recommended default".
const defaultTimeout = 10 * time.Second

func remoteTimeout(ms api.Opt[int64]) time.Duration {
	d := time.Duration(ms.Or(defaultTimeout.Milliseconds())) * time.Millisecond
	return min(max(d, 0), time.Minute)
}

// unasked are the failures where no server can be asked.
func unasked[V any](users map[id.UserID]V) map[id.ServerName]error {
	out := map[id.ServerName]error{}
	for user := range users {
		out[user.Server()] = errNoFederation
	}
	return out
}

var errNoFederation = errors.New("this server does not federate")

// writeFailures are the servers that could not be asked.
func writeFailures(failures map[id.ServerName]error) map[string]api.Raw {
	if len(failures) == 0 {
		return nil
	}
	out := make(map[string]api.Raw, len(failures))
	for server, err := range failures {
		b := api.AppendString([]byte(`{"errcode":"M_UNKNOWN","error":`), err.Error())
		out[string(server)] = append(b, '}')
	}
	return out
}

// refusal says to a client what is wrong with keys.
func refusal(what string, err error) error {
	switch {
	case errors.Is(err, devicekeys.ErrUnsigned), errors.Is(err, devicekeys.ErrSignature):
		return api.Errorf(400, "M_INVALID_SIGNATURE", "%s: %s", what, err)
	case errors.Is(err, devicekeys.ErrFormat):
		return api.InvalidParam("%s: %s", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
