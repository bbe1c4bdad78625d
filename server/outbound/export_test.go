// SPDX-License-Identifier: Apache-2.0

package outbound

// Public is public, for tests.
var Public = public

// TransportTo is a Transport with another rule and other names.
var TransportTo = transport
