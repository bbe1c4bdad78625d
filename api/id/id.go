// SPDX-License-Identifier: Apache-2.0

// Package id holds Matrix identifiers. They are parsed once at the edge;
// after that a value of one of these types is valid. It knows grammar only:
// nothing here asks whether a user, room or event exists.
package id

// A UserID is @localpart:server, at most 255 bytes. Historical user IDs (any
// localpart of printable ASCII, and what older servers made) are accepted by
// ParseUserID; what a server may create is narrower.
type UserID string

// A RoomID is !opaque:server, or since room version 12 !hash without a server.
type RoomID string

// An EventID is $opaque:server (room versions 1 and 2) or $hash.
type EventID string

// A RoomAlias is #localpart:server.
type RoomAlias string

// A ServerName is a host with an optional port.
type ServerName string

// A DeviceID is an opaque string chosen by a client or the server.
type DeviceID string

// A KeyID names a signing key: algorithm:identifier.
type KeyID string

// A MXC is a content address mxc://server/media-id.
type MXC string
