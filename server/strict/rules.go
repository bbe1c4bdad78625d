// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"touchstone.example/api"
	"touchstone.example/spec"
)

// The profiles. Strict is the letter of the specification, Lenient what
// deployed clients need, Synapse the departures that clients lean on.
const (
	Strict  = "strict"
	Lenient = "lenient"
	Synapse = "synapse"
)

// A Rule is one thing that the specification asks for, or one departure of
// deployed software, with its setting in each profile.
type Rule struct {
	ID      string `json:"id"`
	Says    string `json:"says"`
	Section string `json:"section"` // below https://spec.matrix.org/<release>/

	Strict  Setting `json:"strict"`
	Lenient Setting `json:"lenient"`
	Synapse Setting `json:"synapse"`
}

// Link is the address of the rule's section.
func (r *Rule) Link() string { return site + r.Section }

const site = "https://spec.matrix.org/" + spec.Version + "/"

const (
	apiStandards  = "client-server-api/#api-standards"
	standardError = "client-server-api/#standard-error-response"
	errorCodes    = "client-server-api/#common-error-codes"
)

// Rules that other packages ask about.
const (
	BackupAuthData     = "backup-auth-data"
	EventContent       = "event-content"
	MemberDeprecated   = "member-deprecated"
	CreatorPowerLevel  = "creator-power-level"
	DeviceKeysSame     = "device-keys-same"
	DeviceKeysSigned   = "device-keys-signed"
	EventFields        = "event-fields"
	ForgottenLeave     = "forgotten-leave"
	GuestJoinByName    = "guest-join-by-name"
	JoinExtraContent   = "join-extra-content"
	JoinedLimited      = "joined-limited"
	JoinedProfile      = "joined-profile"
	MessagesWithoutDir = "messages-without-dir"
	NullLists          = "null-lists"
	ProfileAvatarEmpty = "profile-avatar-empty"
	ProfileAvatarURL   = "profile-avatar-url"
	ProfileUnset       = "profile-unset"
	StateIdempotent    = "state-idempotent"
	UnstableTwins      = "unstable-twins"
)

// Rules returns the table of all rules, in order of their ids.
//
// The rules of answers hold for the server's own answers, which are looked at
// only where the configuration asks for it.
func Rules() []Rule {
	out := slices.Clone(schemaRules)
	for _, r := range proseRules() {
		out = append(out, Rule{r.ID, r.Says, r.Section, Report, Off, Off})
	}
	slices.SortFunc(out, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// schemaRules are the rules besides those of spec/rules.
var schemaRules = []Rule{
	{"access-token-in-query", "an access token stands in the Authorization header; the query string is deprecated", "client-server-api/#using-access-tokens", Report, Off, Off},
	{"answer-alternatives", "an answer's value follows one of the alternatives", apiStandards, Enforce, Report, Report},
	{"answer-enum", "an answer's value is one of those listed; lists grow", apiStandards, Report, Report, Report},
	{"answer-errcode", "an error code is common or named by the operation", errorCodes, Enforce, Report, Report},
	{"answer-error-shape", "an error has errcode and error, both strings", standardError, Enforce, Report, Report},
	{"answer-format", "an answer's strings follow their formats and patterns", apiStandards, Enforce, Report, Report},
	{"answer-json", "an answer is JSON where the operation says so", apiStandards, Enforce, Report, Report},
	{"answer-limits", "an answer's lists and objects have as many elements as they may", apiStandards, Enforce, Report, Report},
	{"answer-required", "an answer's object has its required members", apiStandards, Enforce, Report, Report},
	{"answer-status", "an answer's status is common or declared by the operation", errorCodes, Enforce, Report, Report},
	{"answer-type", "an answer's value has its JSON type", apiStandards, Enforce, Report, Report},
	{"answer-unknown-member", "an answer's object has no members but those described", apiStandards, Report, Off, Off},
	{BackupAuthData, "the auth_data of a key backup is an object; off, it may be an opaque string", "client-server-api/#post_matrixclientv3room_keysversion", Enforce, Off, Off},
	{"body-missing", "a request that takes a JSON object has one, if an empty one", apiStandards, Enforce, Report, Off},
	{"content-type-missing", "a JSON body should be labelled as one", apiStandards, Report, Off, Off},
	{"content-type-not-json", "a JSON body should not be labelled as something else", apiStandards, Report, Off, Off},
	{CreatorPowerLevel, "power_level_content_override names no creator where creators are above all levels", "client-server-api/#post_matrixclientv3createroom", Enforce, Report, Enforce},
	{DeviceKeysSame, "a device keeps the identity keys that it has uploaded; off, others take their place and are told as a change", "client-server-api/#device-keys", Enforce, Off, Off},
	{DeviceKeysSigned, "a device has signed the identity keys that it uploads", "client-server-api/#uploading-keys", Enforce, Off, Off},
	{EventContent, "an event's content follows the schema of its type", "client-server-api/#types-of-room-events", Enforce, Report, Report},
	{EventFields, "an event has its required members, whatever event_fields of a filter lists", "client-server-api/#filtering", Enforce, Off, Off},
	{"federation-event", "a PDU or EDU follows its format", "server-server-api/#pdus", Report, Off, Off},
	{ForgottenLeave, "a room that its user has forgotten is in no sync", "client-server-api/#leaving-rooms", Enforce, Enforce, Off},
	{GuestJoinByName, "guests join rooms by /rooms/{roomId}/join only", "client-server-api/#guest-access", Enforce, Off, Off},
	{JoinExtraContent, "members of a join's body that are not described stay out of the membership event", "client-server-api/#post_matrixclientv3joinroomidoralias", Enforce, Off, Off},
	{JoinedLimited, "the timeline of a newly joined room is limited only if its limit cut it", "client-server-api/#get_matrixclientv3sync", Enforce, Off, Off},
	{JoinedProfile, "joined_members has no name or picture where the member has none", "client-server-api/#get_matrixclientv3roomsroomidjoined_members", Enforce, Enforce, Off},
	{MemberDeprecated, "a request has no deprecated members", apiStandards, Report, Off, Off},
	{MessagesWithoutDir, "a page of messages says in which direction it goes", "client-server-api/#get_matrixclientv3roomsroomidmessages", Enforce, Enforce, Off},
	{NullLists, "the list of devices in a query of keys is a list; off, it may be null, which stands for an empty one", "client-server-api/#post_matrixclientv3keysquery", Enforce, Off, Off},
	{api.RuleParameterUnknown, "a request has no query parameters but those described; others are ignored", apiStandards, Report, Off, Off},
	{ProfileAvatarEmpty, "an empty avatar_url is refused; off, it takes the picture away", "client-server-api/#put_matrixclientv3profileuseridkeyname", Enforce, Off, Off},
	{ProfileAvatarURL, "the avatar_url of a profile is an MXC URI", "client-server-api/#put_matrixclientv3profileuseridkeyname", Enforce, Enforce, Off},
	{ProfileUnset, "a display name or picture that was never set is not found", "client-server-api/#get_matrixclientv3profileuseridkeyname", Enforce, Off, Off},
	{"request-alternatives", "a request's value follows one of the alternatives", apiStandards, Enforce, Off, Off},
	{"request-enum", "a request's value is one of those listed; lists grow, and the closed ones are refused elsewhere", apiStandards, Report, Off, Off},
	{"request-format", "a request's strings follow their formats and patterns", apiStandards, Enforce, Off, Off},
	{"request-limits", "a request's lists and objects have as many elements as they may", apiStandards, Enforce, Off, Off},
	{"request-required", "a request's object has its required members", apiStandards, Enforce, Off, Off},
	{"request-type", "a request's value has its JSON type", apiStandards, Enforce, Off, Off},
	{"request-unknown-member", "a request's object has no members but those described; others are ignored", apiStandards, Report, Off, Off},
	{StateIdempotent, "each request to set state makes an event, also one that changes nothing", "client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey", Enforce, Off, Off},
	{UnstableTwins, "operations of the specification are not there under the unstable paths of their proposals", "client-server-api/#api-standards", Enforce, Off, Off},
}

// Settings holds the setting of every rule.
type Settings map[string]Setting

// Resolve returns a profile's settings with changes to single rules. An
// unknown profile, rule or setting is an error that lists what there is.
func Resolve(profile string, changes map[string]string) (Settings, error) {
	pick := map[string]func(Rule) Setting{
		Strict:  func(r Rule) Setting { return r.Strict },
		Lenient: func(r Rule) Setting { return r.Lenient },
		Synapse: func(r Rule) Setting { return r.Synapse },
	}[profile]
	if pick == nil {
		return nil, fmt.Errorf("no strictness profile %q: there are %s, %s and %s", profile, Strict, Lenient, Synapse)
	}
	out := Settings{}
	for _, r := range Rules() {
		out[r.ID] = pick(r)
	}
	for _, id := range slices.Sorted(maps.Keys(changes)) {
		if changes[id] == api.SettingNote.String() {
			return nil, fmt.Errorf("strictness rule %s: no rule is set to note", id)
		}
		if _, ok := out[id]; !ok {
			return nil, fmt.Errorf("no strictness rule %q: there are %s", id, strings.Join(slices.Sorted(maps.Keys(out)), ", "))
		}
		var s Setting
		if err := s.UnmarshalText([]byte(changes[id])); err != nil {
			return nil, fmt.Errorf("strictness rule %s: %w", id, err)
		}
		out[id] = s
	}
	return out, nil
}

// any reports whether a rule whose id has one of the prefixes is on.
func (s Settings) any(prefixes ...string) bool {
	for id, set := range s {
		for _, p := range prefixes {
			if set != Off && strings.HasPrefix(id, p) {
				return true
			}
		}
	}
	return false
}
