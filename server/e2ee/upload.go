// SPDX-License-Identifier: Apache-2.0

package e2ee

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/devicekeys"
	"touchstone.example/server/devicelists"
	"touchstone.example/server/event"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

const (
	// maxOneTimeKeys bounds the one-time keys of a device; clients have a hundred.
	maxOneTimeKeys = 1000
	// claimedLife is how long it is remembered that a key was claimed.
	claimedLife = 7 * 24 * time.Hour
)

// An upload is the keys that a device uploads.
type upload struct {
	user     id.UserID
	device   id.DeviceID
	identity *devicekeys.Device               // nil: none
	oneTime  map[string][]*devicekeys.OneTime // by algorithm
	fallback []*devicekeys.OneTime
}

// UploadKeys publishes keys of the device that asks.
//
// Spec: client-server uploadKeys.
func (e *E2EE) UploadKeys(ctx context.Context, who api.Caller, req *clientapi.UploadKeysRequest) (*clientapi.UploadKeysResponse, error) {
	if who.Device == "" {
		return nil, api.Forbidden("The access token is that of no device")
	}
	u, err := e.readUpload(ctx, who, &req.Body)
	if err != nil {
		return nil, err
	}
	var counts map[string]int64
	var pos int64
	err = e.DB.Write(ctx, func(tx *storage.Writer) (err error) {
		counts, pos, err = e.writeUpload(ctx, tx, u)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("upload keys of %s: %w", who.User, err)
	}
	return &clientapi.UploadKeysResponse{OneTimeKeyCounts: counts}, e.Feed.WaitFor(ctx, pos)
}

// readUpload checks what can be checked of keys by themselves.
func (e *E2EE) readUpload(ctx context.Context, who api.Caller, body *clientapi.UploadKeysBody) (*upload, error) {
	u := &upload{user: who.User, device: who.Device, oneTime: map[string][]*devicekeys.OneTime{}}
	if body.DeviceKeys != nil {
		var err error
		if u.identity, err = e.readIdentity(ctx, who, body.DeviceKeys); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(body.OneTimeKeys)) {
		k, err := devicekeys.ParseOneTime(name, body.OneTimeKeys[name])
		if err != nil {
			return nil, refusal("one_time_keys", err)
		}
		u.oneTime[k.Algorithm] = append(u.oneTime[k.Algorithm], k)
	}
	for _, name := range slices.Sorted(maps.Keys(body.FallbackKeys)) {
		k, err := devicekeys.ParseOneTime(name, body.FallbackKeys[name])
		if err != nil {
			return nil, refusal("fallback_keys", err)
		}
		if n := len(u.fallback); n > 0 && u.fallback[n-1].Algorithm == k.Algorithm {
			return nil, api.InvalidParam("fallback_keys has two keys of the algorithm %s", k.Algorithm)
		}
		u.fallback = append(u.fallback, k)
	}
	return u, nil
}

// readIdentity reads identity keys. Of the signatures only the user's own are
// kept: others have none to give there.
//
// Spec: client-server "Uploading keys".
func (e *E2EE) readIdentity(ctx context.Context, who api.Caller, keys *clientapi.DeviceKeys) (*devicekeys.Device, error) {
	keys.Signatures = onlyOf(keys.Signatures, who.User)
	delete(keys.Extra, "unsigned")
	d, err := devicekeys.ParseDevice(keys.AppendJSON(nil), who.User, who.Device)
	if err == nil {
		err = d.Signed(who.User)
	}
	if errors.Is(err, devicekeys.ErrUnsigned) && accepts(ctx, e.UnsignedDevice) {
		err = nil
	}
	if err != nil { // the operation names no code for signatures
		return nil, api.InvalidParam("device_keys: %s", err)
	}
	return d, nil
}

func onlyOf(signatures map[id.UserID]map[string]string, user id.UserID) map[id.UserID]map[string]string {
	out := map[id.UserID]map[string]string{}
	if own := signatures[user]; own != nil {
		out[user] = own
	}
	return out
}

// writeUpload stores what is new, and returns the device's counts.
func (e *E2EE) writeUpload(ctx context.Context, tx *storage.Writer, u *upload) (counts map[string]int64, pos int64, err error) {
	// A device that goes takes its keys along; the lock tells which is first.
	if _, err = tx.LockUser(ctx, u.user); err != nil {
		return nil, 0, err
	}
	if _, err = tx.Device(ctx, u.user, u.device); errors.Is(err, storage.ErrNotFound) {
		return nil, 0, api.UnknownToken(false)
	}
	if err != nil {
		return nil, 0, err
	}
	changed, err := e.writeIdentity(ctx, tx, u)
	if err != nil {
		return nil, 0, err
	}
	added, err := newKeys(ctx, tx, u)
	if err != nil {
		return nil, 0, err
	}
	replaced, err := writeFallback(ctx, tx, u)
	if err != nil {
		return nil, 0, err
	}
	if changed {
		pos, err = devicelists.Changed(ctx, tx, u.user)
	} else if len(added) > 0 || replaced {
		pos, err = tx.ReservePosition(ctx)
	}
	if err != nil {
		return nil, 0, err
	}
	if pos != 0 {
		err = writeOneTime(ctx, tx, u, added, pos, e.Env.NowTS())
	}
	if err != nil {
		return nil, 0, err
	}
	if counts, err = tx.CountOneTimeKeys(ctx, u.user, u.device); err != nil {
		return nil, 0, err
	}
	total := int64(0)
	for _, n := range counts {
		total += n
	}
	if len(added) > 0 && total > maxOneTimeKeys {
		return nil, 0, api.InvalidParam("A device has at most %d one-time keys", maxOneTimeKeys)
	}
	return counts, pos, nil
}

// writeIdentity stores identity keys and reports whether they are new.
func (e *E2EE) writeIdentity(ctx context.Context, tx *storage.Writer, u *upload) (changed bool, err error) {
	if u.identity == nil {
		return false, nil
	}
	old, err := tx.DeviceKeys(ctx, u.user, u.device)
	known := err == nil
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return false, err
	}
	if known && bytes.Equal(old, u.identity.JSON) {
		return false, nil
	}
	crossSigning, err := tx.CrossSigningKeys(ctx, []id.UserID{u.user})
	if err != nil {
		return false, err
	}
	for _, k := range crossSigning {
		if k.ID == string(u.device) {
			return false, api.Forbidden("The device has the name of a cross-signing key of yours")
		}
	}
	if known && !bytes.Equal(event.Member(old, "keys"), event.Member(u.identity.JSON, "keys")) {
		if !accepts(ctx, e.OtherIdentity) {
			return false, api.InvalidParam("device_keys: the device has other identity keys already")
		}
		// What the old keys have signed is of no use with the new ones.
		if err = tx.DeleteOneTimeKeys(ctx, u.user, u.device); err != nil {
			return false, err
		}
	}
	return true, tx.PutDeviceKeys(ctx, u.user, u.device, u.identity.JSON)
}

// newKeys are the one-time keys that are not there yet. One that was claimed and
// comes again is not: an upload may be repeated.
func newKeys(ctx context.Context, tx *storage.Writer, u *upload) (added []*storage.OneTimeKey, err error) {
	for _, algorithm := range slices.Sorted(maps.Keys(u.oneTime)) {
		keys := u.oneTime[algorithm]
		ids := make([]string, len(keys))
		for i, k := range keys {
			ids[i] = k.ID
		}
		rows, err := tx.OneTimeKeys(ctx, u.user, u.device, algorithm, ids)
		if err != nil {
			return nil, err
		}
		known := make(map[string]*storage.OneTimeKey, len(rows))
		for _, row := range rows {
			known[row.ID] = row
		}
		for _, k := range keys {
			old := known[k.ID]
			switch {
			case old != nil && bytes.Equal(old.Key, k.JSON):
			case old != nil && old.ClaimedAt == 0:
				// Clients look for these words, to make a new identity.
				return nil, api.Unknown("One time key %s:%s already exists. Old key: %s; new key: %s", algorithm, k.ID, old.Key, k.JSON)
			default:
				added = append(added, &storage.OneTimeKey{Algorithm: algorithm, ID: k.ID, Key: k.JSON})
			}
		}
	}
	return added, nil
}

// writeFallback replaces fallback keys by others. The same one again stays used if
// it was.
func writeFallback(ctx context.Context, tx *storage.Writer, u *upload) (replaced bool, err error) {
	if len(u.fallback) == 0 {
		return false, nil
	}
	old, err := tx.FallbackKeys(ctx, u.user, u.device)
	if err != nil {
		return false, err
	}
	if len(old)+len(u.fallback) > maxOneTimeKeys {
		return false, api.InvalidParam("fallback_keys are of too many algorithms")
	}
	for _, k := range u.fallback {
		same := slices.ContainsFunc(old, func(o *storage.FallbackKey) bool {
			return o.Algorithm == k.Algorithm && o.ID == k.ID && bytes.Equal(o.Key, k.JSON)
		})
		if same {
			continue
		}
		replaced = true
		if err = tx.PutFallbackKey(ctx, u.user, u.device, &storage.FallbackKey{Algorithm: k.Algorithm, ID: k.ID, Key: k.JSON}); err != nil {
			return false, err
		}
	}
	return replaced, nil
}

// writeOneTime stores new one-time keys in the order of their uploads.
func writeOneTime(ctx context.Context, tx *storage.Writer, u *upload, added []*storage.OneTimeKey, pos, now int64) error {
	for _, k := range added {
		if err := tx.PutOneTimeKey(ctx, u.user, u.device, k, pos); err != nil {
			return err
		}
	}
	if err := tx.InsertChange(ctx, oneTimeKeysChanged(u.user, pos)); err != nil {
		return err
	}
	if len(added) == 0 {
		return nil
	}
	return tx.DeleteClaimedKeys(ctx, u.user, u.device, now-claimedLife.Milliseconds())
}

func oneTimeKeysChanged(user id.UserID, pos int64) storage.Change {
	return storage.Change{Pos: pos, Kind: string(feed.KindOneTimeKeys), UserID: string(user)}
}
