// SPDX-License-Identifier: Apache-2.0

package e2ee

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/storage"
)

// The usages of cross-signing keys.
const (
	usageMaster      = "master"
	usageSelfSigning = "self_signing"
	usageUserSigning = "user_signing"
)

// QueryKeys returns the identity keys of devices, and the cross-signing keys of
// their users.
//
// Spec: client-server queryKeys.
func (e *E2EE) QueryKeys(ctx context.Context, who api.Caller, req *clientapi.QueryKeysRequest) (*clientapi.QueryKeysResponse, error) {
	out := &clientapi.QueryKeysResponse{
		DeviceKeys:      map[id.UserID]map[string]clientapi.QueriedDeviceKeys{},
		MasterKeys:      map[id.UserID]clientapi.CrossSigningKey{},
		SelfSigningKeys: map[id.UserID]clientapi.CrossSigningKey{},
		UserSigningKeys: map[id.UserID]clientapi.CrossSigningKey{},
	}
	wanted, err := e.wantedDevices(ctx, req.Body.DeviceKeys)
	if err != nil {
		return nil, err
	}
	var own []id.UserID
	others := map[id.UserID][]string{}
	for _, user := range slices.Sorted(maps.Keys(wanted)) {
		if user.Server() == e.Name {
			own = append(own, user)
		} else {
			others[user] = wanted[user]
		}
	}
	err = e.DB.Read(ctx, func(tx *storage.Reader) error {
		q := &queried{viewer: who.User, wanted: wanted, out: out}
		return q.read(ctx, tx, own)
	})
	if err != nil {
		return nil, fmt.Errorf("query keys: %w", err)
	}
	if len(others) > 0 {
		keys, failures := &RemoteKeys{}, unasked(others)
		if e.Remote != nil {
			keys, failures = e.Remote.QueryKeys(ctx, others, remoteTimeout(req.Body.Timeout))
		}
		maps.Copy(out.DeviceKeys, keys.Devices)
		maps.Copy(out.MasterKeys, keys.Master)
		maps.Copy(out.SelfSigningKeys, keys.SelfSigning)
		out.Failures = writeFailures(failures)
	}
	return out, nil
}

// wantedDevices are the devices that a query names, by user. Null for a list is a
// departure, which is noted once.
func (e *E2EE) wantedDevices(ctx context.Context, named map[id.UserID]api.Null[[]string]) (map[id.UserID][]string, error) {
	wanted := make(map[id.UserID][]string, len(named))
	var null id.UserID
	for user, devices := range named {
		wanted[user] = devices.Value
		if !devices.Valid {
			null = user
		}
	}
	if null != "" && !accepts(ctx, e.NullList) {
		return nil, api.BadJSON("device_keys: null stands for no list: send [] for all devices of %s", null)
	}
	return wanted, nil
}

// queried are keys of users of ours, as one user may see them.
type queried struct {
	viewer     id.UserID
	wanted     map[id.UserID][]string // their devices; none: all
	out        *clientapi.QueryKeysResponse
	signatures map[signed][]*storage.KeySignature
}

// signed names a key that may have signatures.
type signed struct {
	user id.UserID
	key  string
}

func (q *queried) read(ctx context.Context, tx *storage.Reader, users []id.UserID) error {
	users, err := tx.UsersAmong(ctx, users)
	if err != nil {
		return err
	}
	for _, user := range users {
		q.out.DeviceKeys[user] = map[string]clientapi.QueriedDeviceKeys{}
	}
	devices, err := tx.DeviceKeysOf(ctx, users)
	if err != nil {
		return err
	}
	keys, err := tx.CrossSigningKeys(ctx, users)
	if err != nil {
		return err
	}
	if err := q.readSignatures(ctx, tx, users); err != nil {
		return err
	}
	for _, d := range devices {
		if wanted := q.wanted[d.UserID]; len(wanted) > 0 && !slices.Contains(wanted, string(d.DeviceID)) {
			continue
		}
		if err := q.addDevice(d); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if err := q.addCrossSigning(k); err != nil {
			return err
		}
	}
	return nil
}

// readSignatures reads those that the viewer may see: what a user's own keys say of
// the user's other keys, and what the viewer's keys say.
//
// Spec: client-server "Key and signature security": "servers will only allow users
// to see".
func (q *queried) readSignatures(ctx context.Context, tx *storage.Reader, users []id.UserID) error {
	list, err := tx.KeySignatures(ctx, users, q.viewer)
	q.signatures = map[signed][]*storage.KeySignature{}
	for _, s := range list {
		of := signed{s.UserID, s.KeyID}
		q.signatures[of] = append(q.signatures[of], s)
	}
	return err
}

func (q *queried) addDevice(d *storage.DeviceKeys) error {
	var k clientapi.QueriedDeviceKeys
	if err := json.Unmarshal(d.Keys, &k); err != nil {
		return fmt.Errorf("keys of %s %s: %w", d.UserID, d.DeviceID, err)
	}
	k.Unsigned = &clientapi.QueriedDeviceKeysUnsigned{}
	if d.DisplayName != "" {
		k.Unsigned.DeviceDisplayName = api.Some(d.DisplayName)
	}
	q.sign(&k.Signatures, d.UserID, string(d.DeviceID))
	q.out.DeviceKeys[d.UserID][string(d.DeviceID)] = k
	return nil
}

// addCrossSigning adds a key. A user-signing key is for its owner alone.
func (q *queried) addCrossSigning(row *storage.CrossSigningKey) error {
	into := map[string]map[id.UserID]clientapi.CrossSigningKey{
		usageMaster: q.out.MasterKeys, usageSelfSigning: q.out.SelfSigningKeys, usageUserSigning: q.out.UserSigningKeys,
	}[row.Usage]
	if row.Usage == usageUserSigning && row.UserID != q.viewer {
		return nil
	}
	var k clientapi.CrossSigningKey
	if err := json.Unmarshal(row.Key, &k); err != nil {
		return fmt.Errorf("%s key of %s: %w", row.Usage, row.UserID, err)
	}
	q.sign(&k.Signatures, row.UserID, row.ID)
	into[row.UserID] = k
	return nil
}

// sign adds the signatures on a key that were uploaded by themselves.
func (q *queried) sign(signatures *map[id.UserID]map[string]string, user id.UserID, key string) {
	for _, s := range q.signatures[signed{user, key}] {
		if *signatures == nil {
			*signatures = map[id.UserID]map[string]string{}
		}
		if (*signatures)[s.Signer] == nil {
			(*signatures)[s.Signer] = map[string]string{}
		}
		(*signatures)[s.Signer][s.SignedBy] = s.Signature
	}
}
