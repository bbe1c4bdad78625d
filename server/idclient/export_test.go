// SPDX-License-Identifier: Apache-2.0

package idclient

// Public is public, for tests.
var Public = public

// WithoutNulls is an answer without null.
var WithoutNulls = withoutNulls
