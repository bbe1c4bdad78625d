// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"errors"
	"math"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/storage"
)

// maxName bounds the names of devices, in bytes. The specification names no
// limit.
const maxName = 256

// A requestedDevice is the device in a login or registration request.
type requestedDevice struct {
	device id.DeviceID // empty: the server chooses
	name   string      // display name, if the device is new
}

// newRequestedDevice reads the device of a request.
//
// Spec: client-server login and register, "device_id",
// "initial_device_display_name".
func newRequestedDevice(device, name api.Opt[string]) (w requestedDevice, err error) {
	if device.Set {
		if w.device, err = id.ParseDeviceID(device.Value); err != nil {
			return w, api.BadJSON("device_id: %s", err)
		}
	}
	w.name = name.Value
	return w, checkName(name)
}

// checkName bounds the name of a device.
func checkName(name api.Opt[string]) error {
	if len(name.Value) > maxName {
		return api.TooLarge("The name of a device has at most %d bytes", maxName)
	}
	return nil
}

// A newLogin is a device and its new access token.
type newLogin struct {
	user   id.UserID
	device id.DeviceID
	token  string

	name        string
	generatedID bool   // the server chose the device's ID
	address     string // of the client, empty if not known
}

// generateLogin generates the access token of a login, and the device ID if the client
// names none.
func (a *Accounts) generateLogin(ctx context.Context, user id.UserID, w requestedDevice) *newLogin {
	g := &newLogin{user: user, device: w.device, name: w.name, generatedID: w.device == "", address: a.clientAddress(ctx)}
	if g.generatedID {
		g.device = id.DeviceID(a.Env.Rand.Token("device id", string(user), 10))
	}
	g.token = a.Env.Rand.Token("access token", string(user), 43)
	return g
}

// write stores a login. It returns the position of the change that removes the device's
// earlier tokens from caches, 0 if it can have none. Call it last in a transaction. It
// fails with ErrExists if a generated value exists already, which happens with the seed
// of an earlier run.
//
// Spec: client-server "Relationship between access tokens and devices".
func (g *newLogin) write(ctx context.Context, tx *storage.Writer, now int64) (pos int64, err error) {
	device, err := tx.Device(ctx, g.user, g.device)
	known := err == nil
	switch {
	case known && g.generatedID:
		return 0, storage.ErrExists
	case known:
		device.SeenAt, device.SeenIP = now, g.address
		if err = tx.TouchDevice(ctx, device); err == nil {
			err = tx.DeleteDeviceAccess(ctx, g.user, g.device)
		}
	case errors.Is(err, storage.ErrNotFound):
		if _, err := tx.DeleteRowsOfDevice(ctx, g.user, g.device, math.MaxInt32); err != nil { // rows that deleteRowsOfDevice has left
			return 0, err
		}
		if err := g.isNoKey(ctx, tx); err != nil {
			return 0, err
		}
		err = tx.PutDevice(ctx, &storage.Device{
			UserID: g.user, ID: g.device, DisplayName: g.name, CreatedAt: now, SeenAt: now, SeenIP: g.address,
		})
	}
	if err != nil {
		return 0, err
	}
	err = tx.InsertAccessToken(ctx, &storage.AccessToken{
		Hash: hashOf(g.token), UserID: g.user, DeviceID: g.device, CreatedAt: now,
	})
	if err != nil || !known {
		return 0, err
	}
	return revoke(ctx, tx, g.user)
}

// isNoKey refuses a device that would have the name of a cross-signing key.
//
// Spec: client-server "Cross-signing": "Servers therefore must ensure that device
// IDs will not collide with cross-signing public keys."
func (g *newLogin) isNoKey(ctx context.Context, tx *storage.Writer) error {
	if g.generatedID {
		return nil
	}
	keys, err := tx.CrossSigningKeys(ctx, []id.UserID{g.user})
	for _, k := range keys {
		if k.ID == string(g.device) {
			return api.Forbidden("device_id is the name of a cross-signing key")
		}
	}
	return err
}

// logIn stores a login if the account has not changed since it was verified: a login
// comes before a change of the password, or it fails.
func (a *Accounts) logIn(ctx context.Context, verified *storage.User, w requestedDevice) (*newLogin, error) {
	var g *newLogin
	var pos int64
	if w.device != "" {
		if err := a.deleteRowsOfDevice(ctx, verified.ID, w.device); err != nil {
			return nil, err
		}
	}
	err := retryIfTaken(func() error {
		g = a.generateLogin(ctx, verified.ID, w)
		return a.DB.Write(ctx, func(tx *storage.Writer) (err error) {
			user, err := tx.LockUser(ctx, verified.ID)
			if err != nil {
				return err
			}
			if err := mayLogIn(user); err != nil {
				return err
			}
			if user.PasswordHash != verified.PasswordHash {
				return wrongPassword()
			}
			pos, err = g.write(ctx, tx, a.Env.NowTS())
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return g, a.Feed.WaitFor(ctx, pos)
}

// maxTaken bounds retryIfTaken. With the seed of an earlier run a server generates that
// run's values again; otherwise the first value is free.
const maxTaken = 1 << 16

// retryIfTaken calls do, which generates values and stores them, until they are not
// taken.
func retryIfTaken(do func() error) error {
	err := do()
	for n := 1; n < maxTaken && errors.Is(err, storage.ErrExists); n++ {
		err = do()
	}
	return err
}
