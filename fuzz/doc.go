// SPDX-License-Identifier: Apache-2.0

// Package fuzz holds one fuzz target for each parser of bytes from outside,
// and the inputs that once broke it.
package fuzz
