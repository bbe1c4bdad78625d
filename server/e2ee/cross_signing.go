// SPDX-License-Identifier: Apache-2.0

package e2ee

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/devicekeys"
	"touchstone.example/server/devicelists"
	"touchstone.example/storage"
)

// Cross-signing keys by usage.
type keySet map[string]*devicekeys.CrossSigning

var usages = []string{usageMaster, usageSelfSigning, usageUserSigning}

// UploadCrossSigningKeys publishes the keys by which a user signs devices and other
// users. Where the user has a master key already, new keys need the user to prove
// to be the user.
//
// Spec: client-server uploadCrossSigningKeys.
func (e *E2EE) UploadCrossSigningKeys(ctx context.Context, who api.Caller, req *clientapi.UploadCrossSigningKeysRequest) (*api.Empty, error) {
	given, err := readCrossSigning(who.User, &req.Body)
	if err != nil {
		return nil, err
	}
	for {
		err := e.uploadCrossSigning(ctx, who, given, req.Body.Auth)
		if errors.Is(err, storage.ErrConflict) {
			continue // another upload came first, and must be confirmed now
		}
		if err != nil {
			return nil, err
		}
		return &api.Empty{}, nil
	}
}

func readCrossSigning(user id.UserID, body *clientapi.UploadCrossSigningKeysBody) (keySet, error) {
	given, names := keySet{}, map[string]bool{}
	for i, k := range []*clientapi.CrossSigningKey{body.MasterKey, body.SelfSigningKey, body.UserSigningKey} {
		if k == nil {
			continue
		}
		usage := usages[i]
		k.Signatures = onlyOf(k.Signatures, user)
		delete(k.Extra, "unsigned")
		parsed, err := devicekeys.ParseCrossSigning(k.AppendJSON(nil), user, usage)
		if err != nil {
			return nil, refusal(usage+"_key", err)
		}
		if names[parsed.ID] {
			return nil, api.InvalidParam("%s_key is the same as another of the keys", usage)
		}
		given[usage], names[parsed.ID] = parsed, true
	}
	return given, nil
}

// uploadCrossSigning stores those of the given keys that are new. ErrConflict says
// that the keys were changed meanwhile.
func (e *E2EE) uploadCrossSigning(ctx context.Context, who api.Caller, given keySet, auth *clientapi.AuthData) error {
	var old keySet
	err := e.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		old, err = keysOf(ctx, tx, who.User)
		return err
	})
	if err != nil {
		return fmt.Errorf("cross-signing keys of %s: %w", who.User, err)
	}
	fresh, err := newOf(given, old)
	if err != nil {
		return err
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := signedByMaster(who.User, fresh, old[usageMaster]); err != nil {
		return err
	}
	done := func(context.Context, *storage.Writer) error { return nil }
	if old[usageMaster] != nil && who.AppService == "" {
		if done, err = e.Confirm.Confirm(ctx, who, operationOf(fresh), auth); err != nil {
			return err
		}
	}
	var pos int64
	err = e.DB.Write(ctx, func(tx *storage.Writer) (err error) {
		if err = unchanged(ctx, tx, who.User, old); err != nil {
			return err
		}
		if err = done(ctx, tx); err != nil {
			return err
		}
		pos, err = writeCrossSigning(ctx, tx, who.User, fresh, old)
		return err
	})
	if err != nil {
		return fmt.Errorf("upload cross-signing keys of %s: %w", who.User, err)
	}
	return e.Feed.WaitFor(ctx, pos)
}

// operationOf names what is confirmed: these keys and no others.
func operationOf(fresh keySet) string {
	var b strings.Builder
	b.WriteString("uploadCrossSigningKeys")
	for _, usage := range usages {
		if k := fresh[usage]; k != nil {
			b.WriteString(" " + usage + " " + k.Name())
		}
	}
	return b.String()
}

// keysOf are a user's cross-signing keys.
func keysOf(ctx context.Context, tx *storage.Reader, user id.UserID) (keySet, error) {
	rows, err := tx.CrossSigningKeys(ctx, []id.UserID{user})
	if err != nil {
		return nil, err
	}
	keys := keySet{}
	for _, row := range rows {
		if keys[row.Usage], err = devicekeys.ParseCrossSigning(row.Key, user, row.Usage); err != nil {
			return nil, fmt.Errorf("%s key of %s: %w", row.Usage, user, err)
		}
	}
	return keys, nil
}

// newOf are those of the given keys that are not there already. With another master
// key all are, since it has signed them anew.
func newOf(given, old keySet) (keySet, error) {
	fresh := keySet{}
	for usage, k := range given {
		if old[usage] == nil || !devicekeys.SameBesideSignatures(k.JSON, old[usage].JSON) {
			fresh[usage] = k
		}
	}
	if fresh[usageMaster] != nil {
		return given, nil
	}
	if len(fresh) > 0 && old[usageMaster] == nil {
		return nil, api.MissingParam("There is no master key to sign the other keys")
	}
	return fresh, nil
}

// signedByMaster checks that the master key has signed the others.
func signedByMaster(user id.UserID, fresh keySet, master *devicekeys.CrossSigning) error {
	if fresh[usageMaster] != nil {
		master = fresh[usageMaster]
	}
	for _, usage := range []string{usageSelfSigning, usageUserSigning} {
		if k := fresh[usage]; k != nil {
			if err := devicekeys.Verify(k.JSON, user, master.Key); err != nil {
				return refusal(usage+"_key", err)
			}
			if k.ID == master.ID {
				return api.InvalidParam("%s_key is the master key", usage)
			}
		}
	}
	return nil
}

// unchanged locks the user's keys, and is ErrConflict if they are not those any more.
func unchanged(ctx context.Context, tx *storage.Writer, user id.UserID, old keySet) error {
	if _, err := tx.LockUser(ctx, user); err != nil {
		return err
	}
	now, err := keysOf(ctx, tx.Reader, user)
	if err != nil {
		return err
	}
	for _, usage := range usages {
		a, b := old[usage], now[usage]
		if (a == nil) != (b == nil) || a != nil && a.ID != b.ID {
			return storage.ErrConflict
		}
	}
	return nil
}

// writeCrossSigning stores new keys. With another master key, keys that it has not
// signed go.
func writeCrossSigning(ctx context.Context, tx *storage.Writer, user id.UserID, fresh, old keySet) (pos int64, err error) {
	devices, err := tx.Devices(ctx, user)
	if err != nil {
		return 0, err
	}
	for _, usage := range usages {
		k, before := fresh[usage], rowOf(user, usage, old[usage])
		switch {
		case k != nil:
			if slices.ContainsFunc(devices, func(d *storage.Device) bool { return string(d.ID) == k.Name() }) {
				return 0, api.Forbidden("%s_key has the name of a device of yours", usage)
			}
			err = tx.PutCrossSigningKey(ctx, before, rowOf(user, usage, k))
		case before != nil && fresh[usageMaster] != nil:
			err = tx.DeleteCrossSigningKey(ctx, before)
		}
		if err != nil {
			return 0, err
		}
	}
	return devicelists.Changed(ctx, tx, user)
}

func rowOf(user id.UserID, usage string, k *devicekeys.CrossSigning) *storage.CrossSigningKey {
	if k == nil {
		return nil
	}
	return &storage.CrossSigningKey{UserID: user, Usage: usage, ID: k.Name(), Key: k.JSON}
}
