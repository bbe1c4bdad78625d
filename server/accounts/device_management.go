// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/devicelists"
	"touchstone.example/storage"
)

// GetDevices lists the caller's devices.
//
// Spec: client-server getDevices.
func (a *Accounts) GetDevices(ctx context.Context, who api.Caller, _ *clientapi.GetDevicesRequest) (*clientapi.GetDevicesResponse, error) {
	out := &clientapi.GetDevicesResponse{Devices: []clientapi.ClientDevice{}}
	err := a.DB.Read(ctx, func(tx *storage.Reader) error {
		rows, err := tx.Devices(ctx, who.User)
		for _, d := range rows {
			out.Devices = append(out.Devices, a.clientDevice(d))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("devices of %s: %w", who.User, err)
	}
	return out, nil
}

// clientDevice converts a device for clients. A last-seen time in the future, from a
// clock that was ahead, is replaced by now.
func (a *Accounts) clientDevice(d *storage.Device) clientapi.ClientDevice {
	out := clientapi.ClientDevice{DeviceID: string(d.ID), LastSeenTS: api.Some(min(d.SeenAt, a.Env.NowTS()))}
	if d.DisplayName != "" {
		out.DisplayName = api.Some(d.DisplayName)
	}
	if d.SeenIP != "" {
		out.LastSeenIP = api.Some(d.SeenIP)
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
	if err != nil {
		return nil, noDevice(req.DeviceID, err)
	}
	out := a.clientDevice(d)
	return &out, nil
}

// noDevice is the answer for a device that is not the caller's.
func noDevice(deviceID string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return api.NotFound("You have no device %q", deviceID)
	}
	return fmt.Errorf("device: %w", err)
}

// UpdateDevice renames one of the caller's devices.
//
// Spec: client-server updateDevice. Status 201 is for application services, which
// create devices with it.
func (a *Accounts) UpdateDevice(ctx context.Context, who api.Caller, req *clientapi.UpdateDeviceRequest) (clientapi.UpdateDeviceResult, error) {
	name := req.Body.DisplayName
	if err := checkName(name); err != nil {
		return nil, err
	}
	var pos int64
	err := a.DB.Write(ctx, func(tx *storage.Writer) (err error) {
		device := id.DeviceID(req.DeviceID)
		d, err := tx.Device(ctx, who.User, device)
		if err != nil || !name.Set || d.DisplayName == name.Value {
			return err
		}
		if err = tx.RenameDevice(ctx, who.User, device, name.Value); err != nil {
			return err
		}
		pos, err = devicelists.Renamed(ctx, tx, who.User, device) // the name is part of the answer to key queries
		return err
	})
	if err != nil {
		return nil, noDevice(req.DeviceID, err)
	}
	return &clientapi.UpdateDeviceOK{}, a.Feed.WaitFor(ctx, pos)
}

// DeleteDevice removes one of the caller's devices, with the password.
//
// Spec: client-server deleteDevice: "or had been removed previously".
func (a *Accounts) DeleteDevice(ctx context.Context, who api.Caller, req *clientapi.DeleteDeviceRequest) (*api.Empty, error) {
	c := challenge{operation: "deleteDevice " + digest(req.DeviceID), user: who.User, device: who.Device, flow: []string{stagePassword}}
	s, err := a.authenticate(ctx, c, req.Body.Auth)
	if err != nil {
		return nil, err
	}
	return done(a.deleteDevices(ctx, who.User, s, id.DeviceID(req.DeviceID)))
}

// DeleteDevices removes several of the caller's devices, with the password.
//
// Spec: client-server deleteDevices.
func (a *Accounts) DeleteDevices(ctx context.Context, who api.Caller, req *clientapi.DeleteDevicesRequest) (*api.Empty, error) {
	named := slices.Sorted(slices.Values(req.Body.Devices))
	c := challenge{operation: "deleteDevices " + digest(named...), user: who.User, device: who.Device, flow: []string{stagePassword}}
	s, err := a.authenticate(ctx, c, req.Body.Auth)
	if err != nil {
		return nil, err
	}
	devices := make([]id.DeviceID, len(named))
	for i, d := range named {
		devices[i] = id.DeviceID(d)
	}
	return done(a.deleteDevices(ctx, who.User, s, devices...))
}

// deleteDevices deletes devices and their tokens, once for each session.
func (a *Accounts) deleteDevices(ctx context.Context, user id.UserID, s *session, devices ...id.DeviceID) error {
	err := a.revoking(ctx, user, func(tx *storage.Writer) ([]id.DeviceID, error) {
		if err := s.recordResult(ctx, tx, "deleted"); err != nil {
			return nil, err
		}
		return devices, tx.DeleteDevices(ctx, user, devices)
	})
	if errors.Is(err, errSessionUsed) {
		return nil // the session was used already: the same answer
	}
	if err != nil {
		return fmt.Errorf("delete devices of %s: %w", user, err)
	}
	return nil
}
