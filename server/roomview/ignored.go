// SPDX-License-Identifier: Apache-2.0

package roomview

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/storage"
)

// TypeIgnoredUsers is the account data that says whom a user ignores.
const TypeIgnoredUsers = "m.ignored_user_list"

// Ignored reads whom a user ignores.
func Ignored(ctx context.Context, tx *storage.Reader, user id.UserID) (map[id.UserID]bool, error) {
	d, err := tx.AccountData(ctx, user, 0, TypeIgnoredUsers)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return IgnoredIn(d.Content, user), nil
}

// IgnoredIn returns whom the content of m.ignored_user_list names, but for the
// user. What clients have put there in another form ignores nobody.
//
// Spec: client-server "Ignoring Users", "m.ignored_user_list".
func IgnoredIn(content []byte, user id.UserID) map[id.UserID]bool {
	var users map[id.UserID]jsontext.Value
	if json.Unmarshal(event.Member(content, "ignored_users"), &users) != nil || len(users) == 0 {
		return nil
	}
	ignored := make(map[id.UserID]bool, len(users))
	for u := range users {
		if u != user {
			ignored[u] = true
		}
	}
	return ignored
}

// Ignores reports whether an event is not for a user who ignores some: their state
// events are.
//
// Spec: client-server "Ignoring Users": "Servers must still send state events sent
// by ignored users to clients."
func Ignores(ignored map[id.UserID]bool, e *storage.Event) bool {
	return e.StateKey == nil && ignored[e.Sender]
}
