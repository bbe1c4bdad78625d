// SPDX-License-Identifier: Apache-2.0

// Package clients holds conversations through clients that people use, which know
// nothing of this server: in js/ matrix-js-sdk, which encrypts, and matrix-bot-sdk. Run
// them with make test-clients.
package clients
