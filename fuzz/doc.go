// SPDX-License-Identifier: Apache-2.0

// Package fuzz holds the fuzz targets of everything that parses bytes from
// outside. It has no code of its own.
package fuzz
