// SPDX-License-Identifier: Apache-2.0

// Package fuzz has the fuzz targets of all code that parses bytes from outside.
// It has no code of its own.
package fuzz
