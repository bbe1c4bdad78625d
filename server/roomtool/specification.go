// SPDX-License-Identifier: Apache-2.0

package roomtool

import "touchstone.example/server/roomver"

// release is the release of the specification that links lead to.
const release = "v1.19"

const site = "https://spec.matrix.org/" + release + "/"

// Sections that are the same for every room version.
const (
	linkSignatures = site + "server-server-api/#validating-hashes-and-signatures-on-received-events"
	linkReceipt    = site + "server-server-api/#checks-performed-on-receipt-of-a-pdu"
)

// linkAuth is the section of a room version that numbers the authorization rules.
func linkAuth(rules *roomver.Rules) string { return linkVersion(rules, "authorisation-rules") }

// linkResolution is the section of a room version on state resolution.
func linkResolution(rules *roomver.Rules) string { return linkVersion(rules, "state-resolution") }

// linkFormat is the section of a room version with the whole format of events.
// In some documents another section of that name stands before it.
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
