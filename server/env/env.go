// SPDX-License-Identifier: Apache-2.0

// Package env is the only source of time and chance. Everything else receives
// an Env, so that under a fixed clock and seed two runs answer with the same
// bytes.
package env
