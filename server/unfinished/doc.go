// SPDX-License-Identifier: Apache-2.0

// Package unfinished holds the operations that nobody has written yet, one file
// for each file of the specification. Each answers 404 M_UNRECOGNIZED with the
// header Touchstone-Unfinished. A slice that takes an operation over takes its
// method away from here; in the end nothing is left.
package unfinished
