// SPDX-License-Identifier: Apache-2.0

package api

import "touchstone.example/api/raw"

// Types of api/raw under the names that generated code uses.
type (
	// Raw is one JSON value, stored byte for byte.
	Raw = raw.Raw
	// Opt is an optional scalar: a member or parameter that may be absent.
	Opt[T any] = raw.Opt[T]
)

// Some returns a present value.
func Some[T any](v T) Opt[T] { return raw.Some(v) }
