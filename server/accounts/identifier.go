// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"strings"

	"github.com/go-json-experiment/json"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
)

// Kinds of user identifier.
//
// Spec: client-server "Identifier types".
const (
	idUser       = "m.id.user"
	idThirdParty = "m.id.thirdparty"
	idPhone      = "m.id.phone"
)

// LocalUser returns the user ID for a localpart or a whole user ID, in upper or lower
// case: no account here has upper-case letters in its ID.
//
// Spec: client-server "Matrix User ID"; appendices "User Identifiers",
// rationale.
func LocalUser(name string, server id.ServerName) (id.UserID, error) {
	if !strings.HasPrefix(name, "@") {
		name = "@" + name + ":" + string(server)
	}
	user, err := id.ParseUserID(name)
	if err != nil {
		return "", err
	}
	if user.Server() != server {
		return "", api.Forbidden("%s is not a user of this server", user)
	}
	return id.UserID("@" + lower(user.Localpart()) + ":" + string(server)), nil
}

// lower converts the letters A to Z to lower case. Other upper-case letters are not
// valid in user IDs and stay.
//
// Spec: appendices "Mapping from other character sets", step 2.
func lower(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	}, s)
}

// resolveIdentifier returns the user of a user identifier. Accounts have no third-party
// identifiers, so none of these has a user.
//
// Spec: client-server "Identifier types"; "the homeserver must respond with
// 403 Forbidden".
func (a *Accounts) resolveIdentifier(who *clientapi.UserIdentifier) (id.UserID, error) {
	switch who.Type {
	case idUser:
		name, ok := event.Text(who.Extra["user"])
		if !ok {
			return "", api.BadJSON("identifier.user is missing or no string")
		}
		return a.local(name)
	case idThirdParty, idPhone:
		return "", unknownThirdParty()
	}
	return "", api.Unknown("Identifiers of type %q are unknown to this server", who.Type)
}

func unknownThirdParty() *api.Error {
	return api.Forbidden("Nobody here is known by that third-party identifier")
}

// local is LocalUser with the same error for an invalid name as for an unknown one.
func (a *Accounts) local(name string) (id.UserID, error) {
	user, err := LocalUser(name, a.Name)
	if err != nil {
		return "", wrongPassword()
	}
	return user, nil
}

// identifierOf reads the identifier in the data of a stage: the current form, or a bare
// name as in older versions.
//
// Spec: client-server "Password-based"; r0.3.0 for the bare name.
func (a *Accounts) identifierOf(auth *clientapi.AuthData) (id.UserID, error) {
	if raw, ok := auth.Extra["identifier"]; ok {
		var who clientapi.UserIdentifier
		if err := json.Unmarshal(raw, &who); err != nil {
			return "", api.BadJSON("auth.identifier: not a user identifier")
		}
		return a.resolveIdentifier(&who)
	}
	if name, ok := event.Text(auth.Extra["user"]); ok {
		return a.local(name)
	}
	return "", api.BadJSON("auth.identifier is missing")
}
