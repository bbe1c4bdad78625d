// SPDX-License-Identifier: Apache-2.0

package roomver

import "math"

// maxInteger is the largest integer of canonical JSON.
const maxInteger = 1<<53 - 1

// Each version is a copy of the one before it with the changes of its document.
var (
	v1 = Rules{
		Version:               "1",
		EventID:               EventIDGiven,
		ReferencesCarryHashes: true,
		MaxDepth:              math.MaxInt64,
		CreatorInContent:      true,
		Redaction:             &redactionV1,
		RedactionNeedsAuth:    true,
		EventIDServerSigns:    true,
		StateResolution:       StateResolutionV1,
		AliasesHaveOwnRule:    true,
	}
	v2 = after(v1, "2", func(r *Rules) {
		r.StateResolution = StateResolutionV2
	})
	v3 = after(v2, "3", func(r *Rules) {
		r.EventID = EventIDHash
		r.ReferencesCarryHashes = false
		r.RedactionNeedsAuth = false
		r.EventIDServerSigns = false
	})
	v4 = after(v3, "4", func(r *Rules) {
		r.EventID = EventIDHashURLSafe
	})
	v5 = after(v4, "5", func(r *Rules) {
		r.KeyValidityEnforced = true
	})
	v6 = after(v5, "6", func(r *Rules) {
		r.StrictJSON = true
		r.MaxDepth = maxInteger
		r.AliasesHaveOwnRule = false
		r.NotificationLevelsChecked = true
		r.Redaction = &redactionV6
	})
	v7 = after(v6, "7", func(r *Rules) {
		r.Knock = true
	})
	v8 = after(v7, "8", func(r *Rules) {
		r.Restricted = true
		r.Redaction = &redactionV8
	})
	v9 = after(v8, "9", func(r *Rules) {
		r.Redaction = &redactionV9
	})
	v10 = after(v9, "10", func(r *Rules) {
		r.IntegerPowerLevels = true
		r.KnockRestricted = true
	})
	v11 = after(v10, "11", func(r *Rules) {
		r.RedactsInContent = true
		r.CreatorInContent = false
		r.Redaction = &redactionV11
	})
	v12 = after(v11, "12", func(r *Rules) {
		r.RoomIDIsCreateHash = true
		r.CreateEventImplied = true
		r.CreatorsPrivileged = true
		r.AdditionalCreators = true
		r.StateResolution = StateResolutionV21
	})

	all = [...]Rules{v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12}
)

func after(base Rules, version string, change func(*Rules)) Rules {
	base.Version = version
	change(&base)
	return base
}

// The five variants of the redaction algorithm, named after the first version
// that has them.
var (
	redactionV1 = Redaction{
		TopLevel: topLevelV1,
		Content: content(map[string][]string{
			"m.room.aliases": {"aliases"},
		}),
	}
	redactionV6 = Redaction{
		TopLevel: topLevelV1,
		Content:  content(nil),
	}
	redactionV8 = Redaction{
		TopLevel: topLevelV1,
		Content: content(map[string][]string{
			"m.room.join_rules": {"allow", "join_rule"},
		}),
	}
	redactionV9 = Redaction{
		TopLevel: topLevelV1,
		Content: content(map[string][]string{
			"m.room.join_rules": {"allow", "join_rule"},
			"m.room.member":     {"join_authorised_via_users_server", "membership"},
		}),
	}
	redactionV11 = Redaction{
		TopLevel: []string{
			"auth_events", "content", "depth", "event_id", "hashes", "origin_server_ts",
			"prev_events", "room_id", "sender", "signatures", "state_key", "type",
		},
		Content: content(map[string][]string{
			"m.room.create":     nil,
			"m.room.join_rules": {"allow", "join_rule"},
			"m.room.member":     {"join_authorised_via_users_server", "membership"},
			"m.room.power_levels": {
				"ban", "events", "events_default", "invite", "kick", "redact", "state_default",
				"users", "users_default",
			},
			"m.room.redaction": {"redacts"},
		}),
		WholeCreate:      true,
		ThirdPartySigned: true,
	}
)

var topLevelV1 = []string{
	"auth_events", "content", "depth", "event_id", "hashes", "membership", "origin",
	"origin_server_ts", "prev_events", "prev_state", "room_id", "sender", "signatures",
	"state_key", "type",
}

// content returns the members of content that every variant keeps, with the
// changes of one variant.
func content(changes map[string][]string) map[string][]string {
	keep := map[string][]string{
		"m.room.create":             {"creator"},
		"m.room.history_visibility": {"history_visibility"},
		"m.room.join_rules":         {"join_rule"},
		"m.room.member":             {"membership"},
		"m.room.power_levels": {
			"ban", "events", "events_default", "kick", "redact", "state_default", "users",
			"users_default",
		},
	}
	for typ, names := range changes {
		keep[typ] = names
	}
	return keep
}
