// SPDX-License-Identifier: Apache-2.0

// Package harness drives a server from outside, over HTTP only: it starts
// servers, registers users and checks every answer against the specification
// before a test looks at it. It must not know how the server works: it imports
// the server for nothing but starting one.
package harness

import "testing"

// T is what the harness needs of a test. tests/bench, which is a program,
// brings its own.
type T = testing.TB
