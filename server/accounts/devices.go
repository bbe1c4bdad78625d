// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"errors"
	"fmt"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/storage"
)

// Logout ends the access of the device that asks.
//
// Spec: client-server logout.
func (a *Accounts) Logout(ctx context.Context, who api.Caller, _ *clientapi.LogoutRequest) (*api.Empty, error) {
	return done(a.drop(ctx, who.User, who.Device))
}

// LogoutAll ends the access of all the caller's devices.
//
// Spec: client-server logout_all.
func (a *Accounts) LogoutAll(ctx context.Context, who api.Caller, _ *clientapi.LogoutAllRequest) (*api.Empty, error) {
	return done(a.DB.Write(ctx, func(tx *storage.Writer) error {
		if err := tx.DeleteOtherAccess(ctx, who.User, "", ""); err != nil {
			return err
		}
		return revoke(ctx, tx, who.User)
	}))
}

func (a *Accounts) drop(ctx context.Context, user id.UserID, devices ...id.DeviceID) error {
	err := a.DB.Write(ctx, func(tx *storage.Writer) error {
		if err := tx.DeleteDevices(ctx, user, devices); err != nil {
			return err
		}
		return revoke(ctx, tx, user)
	})
	if err != nil {
		return fmt.Errorf("delete devices of %s: %w", user, err)
	}
	return nil
}

// GetTokenOwner tells a client who it is.
//
// Spec: client-server getTokenOwner.
func (a *Accounts) GetTokenOwner(_ context.Context, who api.Caller, _ *clientapi.GetTokenOwnerRequest) (*clientapi.GetTokenOwnerResponse, error) {
	out := &clientapi.GetTokenOwnerResponse{UserID: who.User, IsGuest: api.Some(who.Guest)}
	if who.Device != "" {
		out.DeviceID = api.Some(string(who.Device))
	}
	return out, nil
}

// GetDevices lists the caller's devices.
//
// Spec: client-server getDevices.
func (a *Accounts) GetDevices(ctx context.Context, who api.Caller, _ *clientapi.GetDevicesRequest) (*clientapi.GetDevicesResponse, error) {
	out := &clientapi.GetDevicesResponse{Devices: []clientapi.ClientDevice{}}
	err := a.DB.Read(ctx, func(tx *storage.Reader) error {
		rows, err := tx.Devices(ctx, who.User)
		for _, d := range rows {
			out.Devices = append(out.Devices, clientDevice(d))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("devices of %s: %w", who.User, err)
	}
	return out, nil
}

func clientDevice(d *storage.Device) clientapi.ClientDevice {
	out := clientapi.ClientDevice{DeviceID: string(d.ID)}
	if d.DisplayName != "" {
		out.DisplayName = api.Some(d.DisplayName)
	}
	if d.SeenIP != "" {
		out.LastSeenIP = api.Some(d.SeenIP)
	}
	if d.SeenAt != 0 {
		out.LastSeenTS = api.Some(d.SeenAt)
	}
	return out
}

// GetDevice returns one of the caller's devices.
//
// Spec: client-server getDevice.
func (a *Accounts) GetDevice(ctx context.Context, who api.Caller, req *clientapi.GetDeviceRequest) (*clientapi.GetDeviceResponse, error) {
	var d *storage.Device
	err := a.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		d, err = tx.Device(ctx, who.User, id.DeviceID(req.DeviceID))
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, noDevice(req.DeviceID)
	}
	if err != nil {
		return nil, fmt.Errorf("device of %s: %w", who.User, err)
	}
	out := clientapi.GetDeviceResponse(clientDevice(d))
	return &out, nil
}

func noDevice(deviceID string) *api.Error { return api.NotFound("You have no device %q", deviceID) }

// UpdateDevice renames one of the caller's devices.
//
// Spec: client-server updateDevice. The status 201 is for application
// services, which make devices in this way.
func (a *Accounts) UpdateDevice(ctx context.Context, who api.Caller, req *clientapi.UpdateDeviceRequest) (clientapi.UpdateDeviceResult, error) {
	err := a.DB.Write(ctx, func(tx *storage.Writer) error {
		if !req.Body.DisplayName.Set {
			_, err := tx.Device(ctx, who.User, id.DeviceID(req.DeviceID))
			return err
		}
		return tx.RenameDevice(ctx, who.User, id.DeviceID(req.DeviceID), req.Body.DisplayName.Value)
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, noDevice(req.DeviceID)
	}
	if err != nil {
		return nil, fmt.Errorf("rename device of %s: %w", who.User, err)
	}
	return &clientapi.UpdateDeviceOK{}, nil
}

// DeleteDevice removes one of the caller's devices, with the password.
//
// Spec: client-server deleteDevice.
func (a *Accounts) DeleteDevice(ctx context.Context, who api.Caller, req *clientapi.DeleteDeviceRequest) (*api.Empty, error) {
	c := challenge{operation: "delete device " + req.DeviceID, user: who.User, flow: []string{stagePassword}}
	if err := a.interact(ctx, c, req.Body.Auth); err != nil {
		return nil, err
	}
	return done(a.drop(ctx, who.User, id.DeviceID(req.DeviceID)))
}

// DeleteDevices removes several of the caller's devices, with the password.
//
// Spec: client-server deleteDevices.
func (a *Accounts) DeleteDevices(ctx context.Context, who api.Caller, req *clientapi.DeleteDevicesRequest) (*api.Empty, error) {
	c := challenge{operation: "delete devices", user: who.User, flow: []string{stagePassword}}
	if err := a.interact(ctx, c, req.Body.Auth); err != nil {
		return nil, err
	}
	devices := make([]id.DeviceID, len(req.Body.Devices))
	for i, d := range req.Body.Devices {
		devices[i] = id.DeviceID(d)
	}
	return done(a.drop(ctx, who.User, devices...))
}
