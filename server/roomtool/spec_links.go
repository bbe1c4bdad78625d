// SPDX-License-Identifier: Apache-2.0

package roomtool

import "touchstone.example/server/roomver"

// release is the release of the specification that links refer to.
const release = "v1.19"

const site = "https://spec.matrix.org/" + release + "/"

// Sections that are the same for all room versions.
const (
	linkSignatures = site + "server-server-api/#validating-hashes-and-signatures-on-received-events"
	linkReceipt    = site + "server-server-api/#checks-performed-on-receipt-of-a-pdu"
)

// linkAuth returns the link to the authorization rules of a room version.
func linkAuth(rules *roomver.Rules) string { return linkVersion(rules, "authorisation-rules") }

// linkResolution returns the link to the state resolution of a room version.
func linkResolution(rules *roomver.Rules) string { return linkVersion(rules, "state-resolution") }

// linkFormat returns the link to the complete event format of a room version.
// In some documents it is the second section of that name.
func linkFormat(rules *roomver.Rules) string {
	switch rules.Version {
	case "10", "11", "12":
		return linkVersion(rules, "event-format-1")
	}
	return linkVersion(rules, "event-format")
}

func linkVersion(rules *roomver.Rules, section string) string {
	return site + "rooms/v" + rules.Version + "/#" + section
}
