// SPDX-License-Identifier: Apache-2.0

package rooms

import "context"

// checkHashes takes the redacted copy of an event that is not what its content
// hash promises: it is assumed that only that was sent.
//
// Spec: server-server "Validating hashes and signatures on received events".
func (a *inbound) checkHashes(context.Context) error {
	if !a.ev.ContentHashMatches() {
		a.ev = a.ev.Redact()
	}
	return nil
}
