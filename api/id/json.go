// SPDX-License-Identifier: Apache-2.0

package id

import "github.com/go-json-experiment/json/jsontext"

// The JSON form of an identifier is a string. Reading one parses it, so that
// a decoded value is valid.

// UnmarshalJSONFrom reads a user ID.
func (u *UserID) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return read(dec, u, "user ID", ParseUserID)
}

// UnmarshalJSONFrom reads a room ID.
func (r *RoomID) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return read(dec, r, "room ID", ParseRoomID)
}

// UnmarshalJSONFrom reads a event ID.
func (e *EventID) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return read(dec, e, "event ID", ParseEventID)
}

// UnmarshalJSONFrom reads a room alias.
func (a *RoomAlias) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return read(dec, a, "room alias", ParseRoomAlias)
}

// UnmarshalJSONFrom reads a server name.
func (s *ServerName) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return read(dec, s, "server name", ParseServerName)
}

// UnmarshalJSONFrom reads a device ID.
func (d *DeviceID) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return read(dec, d, "device ID", ParseDeviceID)
}

// UnmarshalJSONFrom reads a key ID.
func (k *KeyID) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return read(dec, k, "key ID", ParseKeyID)
}

// UnmarshalJSONFrom reads a content URI.
func (m *MXC) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return read(dec, m, "content URI", ParseMXC)
}
