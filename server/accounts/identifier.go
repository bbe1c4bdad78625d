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

// LocalUser is the user of a server whom somebody names by a localpart or a
// whole user ID, in capitals or not: no account here has capitals in its name.
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

// lower makes the letters A to Z small. Other capitals stay: what they become
// is not for a server to guess, and names do not have them.
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

// resolveIdentifier finds whom a user identifier means. No account has third-party
// identifiers, so they mean nobody.
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

// local is LocalUser where a name that no account can have is answered like
// one that none has.
func (a *Accounts) local(name string) (id.UserID, error) {
	user, err := LocalUser(name, a.Name)
	if err != nil {
		return "", wrongPassword()
	}
	return user, nil
}

// identifierOf reads the identifier in the data of a stage: the present form,
// or the one before it, a bare name.
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
