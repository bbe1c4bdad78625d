// SPDX-License-Identifier: Apache-2.0

// Package clients holds conversations through clients that people use, which know
// nothing of this server: mautrix-go with its encryption, and in js/ matrix-js-sdk,
// matrix-bot-sdk and Hydrogen. Run them with make test-clients.
package clients
