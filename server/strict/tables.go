// SPDX-License-Identifier: Apache-2.0

package strict

import "touchstone.example/api"

const grammar = "appendices/#identifier-grammar"

// DecoderRules returns the rules that generated decoders hold requests to, beside
// those that they share with the judge (request-type, request-required,
// request-enum, request-limits). What breaks one cannot be served, so that they
// are enforced in every profile, in order of their ids.
func DecoderRules() []Rule {
	always := func(id, says, section string) Rule { return Rule{id, says, section, Enforce, Enforce, Enforce} }
	return []Rule{
		always(api.RuleIdentifier, "an identifier follows its grammar", grammar),
		always(api.RuleParameterEncoding, "a parameter in a path or query is percent-encoded UTF-8", apiStandards),
		always(api.RuleParameterEnum, "a parameter's value is one of those listed", apiStandards),
		always(api.RuleParameterRequired, "a request has its required parameters", apiStandards),
		always(api.RuleParameterType, "a parameter can be read as its type", apiStandards),
		always(api.RuleDepth, "arrays and objects nest no deeper than 128", apiStandards),
		always(api.RuleJSON, "a body is one JSON text", apiStandards),
	}
}

// CodeRules returns what refusals say whose rule nobody names but by their code,
// in order. Those that are enforced are departures, what a right client never
// sends; the others depend on what there is, and are only told.
func CodeRules() []Rule {
	departs := func(code, says string) Rule { return Rule{code, says, errorCodes, Enforce, Enforce, Enforce} }
	told := func(code, says string) Rule { return Rule{code, says, errorCodes, Report, Report, Report} }
	return []Rule{
		departs("M_BAD_ALIAS", "aliases in an event lead to its room"),
		departs("M_BAD_JSON", "a body that is what the operation takes"),
		told("M_BAD_STATE", "a change that the state allows"),
		told("M_BAD_STATUS", "a status that the other side may have"),
		told("M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", "users stay in their server notices room"),
		told("M_CANNOT_OVERWRITE_MEDIA", "media is uploaded once"),
		told("M_CAPTCHA_INVALID", "a solved captcha"),
		told("M_CAPTCHA_NEEDED", "a captcha"),
		told("M_CONNECTION_FAILED", "the other side can be reached"),
		told("M_CONNECTION_TIMEOUT", "the other side answers in time"),
		told("M_DUPLICATE_ANNOTATION", "an annotation is made once"),
		told("M_EXCLUSIVE", "names that no application service has reserved"),
		told("M_FORBIDDEN", "what the caller may do"),
		told("M_GUEST_ACCESS_FORBIDDEN", "what guests may do"),
		told("M_INCOMPATIBLE_ROOM_VERSION", "a room version that both sides know"),
		departs("M_INVALID_PARAM", "parameters that the operation takes"),
		departs("M_INVALID_ROOM_STATE", "initial state that makes a room"),
		told("M_INVALID_SIGNATURE", "signatures that can be verified"),
		told("M_INVALID_USERNAME", "a user name by the grammar"),
		told("M_KEY_TOO_LARGE", "profile keys of at most 255 bytes"),
		told("M_LIMIT_EXCEEDED", "no more requests than the server allows"),
		departs("M_MISSING_PARAM", "all that the operation needs"),
		told("M_MISSING_TOKEN", "an access token"),
		told("M_NOT_FOUND", "something that is there"),
		departs("M_NOT_JSON", "a body of JSON"),
		told("M_NOT_YET_UPLOADED", "media that is there"),
		told("M_PROFILE_TOO_LARGE", "a profile of at most 64 KiB"),
		told("M_RESOURCE_LIMIT_EXCEEDED", "what the server has room for"),
		told("M_ROOM_IN_USE", "an alias that is free"),
		told("M_SERVER_NOT_TRUSTED", "a server that this one trusts"),
		told("M_THREEPID_AUTH_FAILED", "a third-party identifier that has been validated"),
		told("M_THREEPID_DENIED", "a third-party identifier that this server takes"),
		told("M_THREEPID_IN_USE", "a third-party identifier that is free"),
		told("M_THREEPID_MEDIUM_NOT_SUPPORTED", "a medium that this server supports"),
		told("M_THREEPID_NOT_FOUND", "a third-party identifier that is known"),
		departs("M_TOO_LARGE", "a body and events of allowed sizes"),
		told("M_UNABLE_TO_AUTHORISE_JOIN", "a server that can authorise the join"),
		told("M_UNABLE_TO_GRANT_JOIN", "a server that can grant the join"),
		told("M_UNACTIONABLE", "something to act on"),
		told("M_UNAUTHORIZED", "a signature of the calling server"),
		told("M_UNKNOWN", "what the server can do"),
		told("M_UNKNOWN_DEVICE", "a device that is there"),
		told("M_UNKNOWN_POS", "a position that the server remembers"),
		told("M_UNKNOWN_TOKEN", "an access token that is valid"),
		told("M_UNRECOGNIZED", "an operation that the server serves"),
		told("M_UNSUPPORTED_ROOM_VERSION", "a room version that the server knows"),
		told("M_USER_DEACTIVATED", "an account that is in use"),
		told("M_USER_IN_USE", "a user name that is free"),
		told("M_USER_LIMIT_EXCEEDED", "fewer users than there are"),
		told("M_USER_LOCKED", "an account that is not locked"),
		told("M_USER_SUSPENDED", "an account that is not suspended"),
		told("M_WEAK_PASSWORD", "a strong password"),
		told("M_WRONG_ROOM_KEYS_VERSION", "the newest version of the backup"),
	}
}
