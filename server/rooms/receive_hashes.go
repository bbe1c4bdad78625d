// SPDX-License-Identifier: Apache-2.0

package rooms

import "context"

// checkHashes replaces an event whose content hash does not match by its redacted copy,
// as if only that had been sent.
//
// Spec: server-server "Validating hashes and signatures on received events".
func (a *inbound) checkHashes(context.Context) error {
	if !a.ev.ContentHashMatches() {
		a.ev = a.ev.Redact()
	}
	return nil
}
