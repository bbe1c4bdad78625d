// SPDX-License-Identifier: Apache-2.0

package roomcreate

import (
	"context"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"

	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/server/roomver"
)

// createContent is the m.room.create event of a new room: the caller's
// creation_content, over which the server writes creator and room_version.
//
// Spec: client-server createRoom "creation_content"; room version 12,
// additional_creators.
func createContent(rules *roomver.Rules, creator id.UserID, given raw.Raw, alsoCreators []id.UserID) (raw.Object, error) {
	content, err := raw.Members(given)
	if err != nil {
		return nil, err
	}
	delete(content, "creator")
	if rules.CreatorInContent {
		content["creator"] = creator
	}
	content["room_version"] = rules.Version
	if rules.CreatorsPrivileged && len(alsoCreators) > 0 {
		var named []id.UserID
		if raw, ok := content["additional_creators"].(raw.Raw); ok {
			if raw.Kind() != '[' || json.Unmarshal(raw, &named) != nil {
				return content, nil // which the room's rules refuse
			}
		}
		for _, u := range alsoCreators {
			if u != creator && !slices.Contains(named, u) {
				named = append(named, u)
			}
		}
		if len(named) > 0 {
			content["additional_creators"] = named
		}
	}
	return content, nil
}

// powerLevels is the default m.room.power_levels of a new room with the
// request's override on top: each top-level member replaces the default's.
//
// Spec: client-server createRoom, step 3 and power_level_content_override.
func powerLevels(rules *roomver.Rules, creator id.UserID, equals []id.UserID, override raw.Raw) (raw.Object, error) {
	users := raw.Object{}
	tombstone := 100
	if rules.CreatorsPrivileged {
		tombstone = 150 // step 3: explicitly higher than state_default
	} else {
		users[string(creator)] = 100
		for _, u := range equals {
			users[string(u)] = 100
		}
	}
	content := raw.Object{
		"users":         map[string]any(users),
		"users_default": 0,
		"events": map[string]any{
			"m.room.name":               50,
			"m.room.avatar":             50,
			"m.room.canonical_alias":    50,
			"m.room.power_levels":       100,
			"m.room.history_visibility": 100,
			"m.room.encryption":         100,
			"m.room.server_acl":         100,
			"m.room.tombstone":          tombstone,
		},
		"events_default": 0,
		"state_default":  50,
		"ban":            50,
		"kick":           50,
		"redact":         50,
		"invite":         0,
		"notifications":  map[string]any{"room": 50},
	}
	over, err := raw.Members(override)
	if err != nil {
		return nil, err
	}
	maps.Copy(content, over)
	return content, nil
}

// withoutCreators is an override of power levels without the creators of the
// room, where it names them, creators may not be named, and that departure is
// served: clients that do not know of such rooms give the creator 100. Else it is
// refused with the event that it would make.
//
// Spec: room version 12, rule 10.4.
func (c *creation) withoutCreators(ctx context.Context, override raw.Raw, create raw.Object) (raw.Raw, error) {
	if !c.rules.CreatorsPrivileged || len(override) == 0 {
		return override, nil
	}
	content, err := raw.Members(override)
	if err != nil {
		return nil, err
	}
	given, _ := content["users"].(raw.Raw)
	users, err := raw.Members(given)
	if err != nil {
		return override, nil // for the rules to refuse
	}
	named := false
	for _, u := range append(creatorsOf(create), c.who.User) {
		if _, ok := users[string(u)]; ok {
			named = true
			delete(users, string(u))
		}
	}
	if !named || c.CreatorPowerLevel == nil || !c.CreatorPowerLevel(ctx) {
		return override, nil
	}
	content["users"] = map[string]any(users)
	return content.Encode(), nil
}

// creatorsOf are the additional creators that a create event will name.
func creatorsOf(create raw.Object) (users []id.UserID) {
	switch named := create["additional_creators"].(type) {
	case []id.UserID:
		return named
	case raw.Raw:
		_ = json.Unmarshal(named, &users) // else the rules refuse it
	}
	return users
}

// topicContent carries the topic as plain text in both of its forms.
//
// Spec: client-server m.room.topic, m.topic.
func topicContent(topic string) raw.Object {
	return raw.Object{
		"topic":   topic,
		"m.topic": map[string]any{"m.text": []any{map[string]any{"body": topic, "mimetype": "text/plain"}}},
	}
}

// A preset is the state that createRoom's preset implies.
type preset struct{ joinRule, visibility, guests string }

var presets = map[string]preset{
	"private_chat":         {"invite", "shared", "can_join"},
	"trusted_private_chat": {"invite", "shared", "can_join"},
	"public_chat":          {"public", "shared", "forbidden"},
}
