// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"touchstone.example/api/id"
)

// A DeviceKeys is a row of device_keys, with the name of its device.
type DeviceKeys struct {
	UserID      id.UserID
	DeviceID    id.DeviceID
	Keys        []byte // canonical JSON
	DisplayName string
}

// A OneTimeKey is a row of one_time_keys.
type OneTimeKey struct {
	Algorithm string
	ID        string
	Key       []byte // JSON
	ClaimedAt int64  // milliseconds; 0: not yet
}

// A FallbackKey is a row of fallback_keys.
type FallbackKey struct {
	Algorithm string
	ID        string
	Key       []byte // JSON
	Used      bool
}

var (
	qPutDeviceKeys = q("put_device_keys", `INSERT INTO device_keys (user_id, device_id, keys) VALUES ($1, $2, $3)
		ON CONFLICT (user_id, device_id) DO UPDATE SET keys = excluded.keys`)
	qDeviceKeys   = q("device_keys", `SELECT keys FROM device_keys WHERE user_id = $1 AND device_id = $2`)
	qDeviceKeysOf = q("device_keys_of", `SELECT k.user_id, k.device_id, k.keys, d.display_name FROM device_keys k
		JOIN devices d ON d.user_id = k.user_id AND d.device_id = k.device_id
		WHERE k.user_id = ANY($1) ORDER BY k.user_id, k.device_id`)
	qDevicesWithKeys  = q("devices_with_keys", `SELECT device_id FROM device_keys WHERE user_id = $1 ORDER BY device_id`)
	qDeleteDeviceKeys = q("delete_device_keys", `DELETE FROM device_keys WHERE user_id = $1 AND device_id = ANY($2)`)

	qPutOneTimeKey = q("put_one_time_key", `INSERT INTO one_time_keys (user_id, device_id, algorithm, key_id, key, pos, claimed_at)
		VALUES ($1, $2, $3, $4, $5, $6, 0)
		ON CONFLICT (user_id, device_id, algorithm, key_id) DO UPDATE SET key = excluded.key, pos = excluded.pos, claimed_at = 0`)
	qOneTimeKeys = q("one_time_keys", `SELECT algorithm, key_id, key, claimed_at FROM one_time_keys
		WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 AND key_id = ANY($4) ORDER BY key_id`)
	// SKIP LOCKED: if the oldest key is locked by another claim, take the next. Each
	// claim gets its own key and none waits.
	qClaimOneTimeKey = q("claim_one_time_key", `UPDATE one_time_keys SET claimed_at = $4
		WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 AND key_id = (SELECT k.key_id FROM one_time_keys k
			WHERE k.user_id = $1 AND k.device_id = $2 AND k.algorithm = $3 AND k.claimed_at = 0
			ORDER BY k.pos, k.key_id LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING key_id, key`)
	qCountOneTimeKeys = q("count_one_time_keys", `SELECT algorithm, COUNT(*) FROM one_time_keys
		WHERE user_id = $1 AND device_id = $2 AND claimed_at = 0 GROUP BY algorithm ORDER BY algorithm`)
	qDeleteClaimedKeys = q("delete_claimed_keys", `DELETE FROM one_time_keys
		WHERE user_id = $1 AND device_id = $2 AND claimed_at > 0 AND claimed_at < $3`)
	qDeleteOneTimeKeys = q("delete_one_time_keys", `DELETE FROM one_time_keys WHERE user_id = $1 AND device_id = ANY($2)`)

	qPutFallbackKey = q("put_fallback_key", `INSERT INTO fallback_keys (user_id, device_id, algorithm, key_id, key, used)
		VALUES ($1, $2, $3, $4, $5, FALSE)
		ON CONFLICT (user_id, device_id, algorithm) DO UPDATE SET key_id = excluded.key_id, key = excluded.key, used = FALSE`)
	qFallbackKeys = q("fallback_keys", `SELECT algorithm, key_id, key, used FROM fallback_keys
		WHERE user_id = $1 AND device_id = $2 ORDER BY algorithm`)
	qUseFallbackKey = q("use_fallback_key", `UPDATE fallback_keys SET used = TRUE
		WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 AND key_id = $4`)
	qDeleteFallbackKeys = q("delete_fallback_keys", `DELETE FROM fallback_keys WHERE user_id = $1 AND device_id = ANY($2)`)
)

// PutDeviceKeys sets a device's identity keys.
func (w *Writer) PutDeviceKeys(ctx context.Context, userID id.UserID, deviceID id.DeviceID, keys []byte) error {
	return w.enqueue(ctx, qPutDeviceKeys, userID, deviceID, keys)
}

// DeviceKeys returns a device's identity keys, ErrNotFound when it has none.
func (r *Reader) DeviceKeys(ctx context.Context, userID id.UserID, deviceID id.DeviceID) (keys []byte, err error) {
	err = r.row(ctx, qDeviceKeys, []any{userID, deviceID}, &keys)
	return keys, err
}

// DeviceKeysOf lists the devices of several users that have identity keys.
func (r *Reader) DeviceKeysOf(ctx context.Context, users []id.UserID) (list []*DeviceKeys, err error) {
	err = r.rows(ctx, qDeviceKeysOf, []any{users}, func(scan scanFunc) error {
		d := new(DeviceKeys)
		var userID, deviceID, name Text
		err := scan(&userID, &deviceID, &d.Keys, &name)
		d.UserID, d.DeviceID, d.DisplayName = id.UserID(userID), id.DeviceID(deviceID), string(name)
		list = append(list, d)
		return err
	})
	return list, err
}

// DevicesWithKeys lists those of a user's devices that have identity keys.
func (r *Reader) DevicesWithKeys(ctx context.Context, userID id.UserID) (list []id.DeviceID, err error) {
	err = r.rows(ctx, qDevicesWithKeys, []any{userID}, func(scan scanFunc) error {
		var deviceID Text
		err := scan(&deviceID)
		list = append(list, id.DeviceID(deviceID))
		return err
	})
	return list, err
}

// DeleteDeviceKeys deletes all keys of devices, with the signatures on them.
func (w *Writer) DeleteDeviceKeys(ctx context.Context, userID id.UserID, devices []id.DeviceID) error {
	for _, q := range []*query{qDeleteDeviceKeys, qDeleteOneTimeKeys, qDeleteFallbackKeys, qDeleteKeySignatures} {
		if err := w.enqueue(ctx, q, userID, devices); err != nil {
			return err
		}
	}
	return nil
}

// DeleteOneTimeKeys deletes the one-time and fallback keys of a device and the
// signatures on its identity keys: all that depended on its old identity keys.
func (w *Writer) DeleteOneTimeKeys(ctx context.Context, userID id.UserID, deviceID id.DeviceID) error {
	for _, q := range []*query{qDeleteOneTimeKeys, qDeleteFallbackKeys, qDeleteKeySignatures} {
		if err := w.enqueue(ctx, q, userID, []id.DeviceID{deviceID}); err != nil {
			return err
		}
	}
	return nil
}

// PutOneTimeKey stores a one-time key that can be claimed, in the order of pos.
func (w *Writer) PutOneTimeKey(ctx context.Context, userID id.UserID, deviceID id.DeviceID, k *OneTimeKey, pos int64) error {
	return w.enqueue(ctx, qPutOneTimeKey, userID, deviceID, k.Algorithm, k.ID, k.Key, pos)
}

// OneTimeKeys returns those of the one-time keys of a device that are stored, claimed
// ones too.
func (r *Reader) OneTimeKeys(ctx context.Context, userID id.UserID, deviceID id.DeviceID, algorithm string, ids []string) (list []*OneTimeKey, err error) {
	err = r.rows(ctx, qOneTimeKeys, []any{userID, deviceID, algorithm, ids}, func(scan scanFunc) error {
		k := new(OneTimeKey)
		var algorithm, keyID Text
		err := scan(&algorithm, &keyID, &k.Key, &k.ClaimedAt)
		k.Algorithm, k.ID = string(algorithm), string(keyID)
		list = append(list, k)
		return err
	})
	return list, err
}

// ClaimOneTimeKey takes the oldest one-time key of a device, which is then never given
// out again. ErrNotFound if none is left.
func (w *Writer) ClaimOneTimeKey(ctx context.Context, userID id.UserID, deviceID id.DeviceID, algorithm string, now int64) (*OneTimeKey, error) {
	k := &OneTimeKey{Algorithm: algorithm, ClaimedAt: now}
	var keyID Text
	err := w.row(ctx, qClaimOneTimeKey, []any{userID, deviceID, algorithm, now}, &keyID, &k.Key)
	if err != nil {
		return nil, err
	}
	k.ID = string(keyID)
	return k, nil
}

// CountOneTimeKeys counts by algorithm the one-time keys of a device that can be
// claimed.
func (r *Reader) CountOneTimeKeys(ctx context.Context, userID id.UserID, deviceID id.DeviceID) (map[string]int64, error) {
	counts := map[string]int64{}
	err := r.rows(ctx, qCountOneTimeKeys, []any{userID, deviceID}, func(scan scanFunc) error {
		var algorithm Text
		var n int64
		err := scan(&algorithm, &n)
		counts[string(algorithm)] = n
		return err
	})
	return counts, err
}

// DeleteClaimedKeys deletes the one-time keys of a device that were claimed before a
// time.
func (w *Writer) DeleteClaimedKeys(ctx context.Context, userID id.UserID, deviceID id.DeviceID, before int64) error {
	return w.enqueue(ctx, qDeleteClaimedKeys, userID, deviceID, before)
}

// PutFallbackKey sets a device's fallback key of an algorithm, which is not used yet.
func (w *Writer) PutFallbackKey(ctx context.Context, userID id.UserID, deviceID id.DeviceID, k *FallbackKey) error {
	return w.enqueue(ctx, qPutFallbackKey, userID, deviceID, k.Algorithm, k.ID, k.Key)
}

// FallbackKeys lists a device's fallback keys.
func (r *Reader) FallbackKeys(ctx context.Context, userID id.UserID, deviceID id.DeviceID) (list []*FallbackKey, err error) {
	err = r.rows(ctx, qFallbackKeys, []any{userID, deviceID}, func(scan scanFunc) error {
		k := new(FallbackKey)
		var algorithm, keyID Text
		err := scan(&algorithm, &keyID, &k.Key, &k.Used)
		k.Algorithm, k.ID = string(algorithm), string(keyID)
		list = append(list, k)
		return err
	})
	return list, err
}

// UseFallbackKey marks a fallback key as used, unless another has replaced it.
func (w *Writer) UseFallbackKey(ctx context.Context, userID id.UserID, deviceID id.DeviceID, k *FallbackKey) error {
	return w.enqueue(ctx, qUseFallbackKey, userID, deviceID, k.Algorithm, k.ID)
}
