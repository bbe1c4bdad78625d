// SPDX-License-Identifier: Apache-2.0

package e2ee

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/storage"
)

// claimBatch bounds the keys that one transaction claims.
const claimBatch = 500

// A claim is a key that is wanted.
type claim struct {
	user      id.UserID
	device    id.DeviceID
	algorithm string
}

// ClaimKeys gives out one-time keys, each of them once, and where none is left the
// fallback key.
//
// Spec: client-server claimKeys.
func (e *E2EE) ClaimKeys(ctx context.Context, _ api.Caller, req *clientapi.ClaimKeysRequest) (*clientapi.ClaimKeysResponse, error) {
	out := &clientapi.ClaimKeysResponse{OneTimeKeys: map[id.UserID]map[string]map[string]api.Raw{}}
	var own []claim
	others := map[id.UserID]map[string]string{}
	for _, user := range slices.Sorted(maps.Keys(req.Body.OneTimeKeys)) {
		devices := req.Body.OneTimeKeys[user]
		if user.Server() != e.Name {
			others[user] = devices
			continue
		}
		for _, device := range slices.Sorted(maps.Keys(devices)) {
			own = append(own, claim{user, id.DeviceID(device), devices[device]})
		}
	}
	for batch := range slices.Chunk(own, claimBatch) {
		if err := e.claim(ctx, batch, out.OneTimeKeys); err != nil {
			return nil, err
		}
	}
	if len(others) > 0 {
		keys, failures := map[id.UserID]map[string]map[string]api.Raw(nil), unasked(others)
		if e.Remote != nil {
			keys, failures = e.Remote.ClaimKeys(ctx, others, remoteTimeout(req.Body.Timeout))
		}
		maps.Copy(out.OneTimeKeys, keys)
		out.Failures = writeFailures(failures)
	}
	return out, nil
}

// claim takes the keys of our users, and writes for whom the counts have changed.
func (e *E2EE) claim(ctx context.Context, batch []claim, out map[id.UserID]map[string]map[string]api.Raw) error {
	var got map[claim]*storage.OneTimeKey
	err := e.DB.Write(ctx, func(tx *storage.Writer) error {
		got = map[claim]*storage.OneTimeKey{}
		var changed []id.UserID
		for _, c := range batch {
			k, counts, err := take(ctx, tx, c, e.Env.NowTS())
			if err != nil {
				return err
			}
			if k != nil {
				got[c] = k
			}
			if counts && !slices.Contains(changed, c.user) {
				changed = append(changed, c.user)
			}
		}
		if len(changed) == 0 {
			return nil
		}
		pos, err := tx.ReservePosition(ctx)
		if err != nil {
			return err
		}
		for _, user := range changed {
			if err := tx.InsertChange(ctx, oneTimeKeysChanged(user, pos)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("claim keys: %w", err)
	}
	for c, k := range got {
		if out[c.user] == nil {
			out[c.user] = map[string]map[string]api.Raw{}
		}
		out[c.user][string(c.device)] = map[string]api.Raw{k.Algorithm + ":" + k.ID: k.Key}
	}
	return nil
}

// take takes a one-time key, or shows the fallback key; nil where there is neither.
// changed reports whether the device's counts are others now.
func take(ctx context.Context, tx *storage.Writer, c claim, now int64) (k *storage.OneTimeKey, changed bool, err error) {
	k, err = tx.ClaimOneTimeKey(ctx, c.user, c.device, c.algorithm, now)
	if !errors.Is(err, storage.ErrNotFound) {
		return k, err == nil, err
	}
	fallback, err := tx.FallbackKeys(ctx, c.user, c.device)
	if err != nil {
		return nil, false, err
	}
	for _, f := range fallback {
		if f.Algorithm != c.algorithm {
			continue
		}
		if !f.Used {
			err = tx.UseFallbackKey(ctx, c.user, c.device, f)
		}
		return &storage.OneTimeKey{Algorithm: f.Algorithm, ID: f.ID, Key: f.Key}, !f.Used, err
	}
	return nil, false, nil
}
