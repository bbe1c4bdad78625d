// SPDX-License-Identifier: Apache-2.0

package messages

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json"

	"touchstone.example/api"
	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/server/roomerrors"
	"touchstone.example/server/roomview"
	"touchstone.example/storage"
)

const typeCanonicalAlias = "m.room.canonical_alias"

// checkAliases refuses state whose content only this server can know to be
// wrong: a canonical alias that does not lead to its room.
//
// Spec: client-server setRoomStateWithKey, 400; "Room aliases".
func (m *Messages) checkAliases(ctx context.Context, req *clientapi.SetRoomStateWithKeyRequest) error {
	if req.EventType != typeCanonicalAlias || req.StateKey != "" {
		return nil
	}
	content, err := canonjson.Append(nil, req.Body, canonjson.Lenient) // aliasesIn reads the canonical form
	if err != nil {
		return api.BadJSON("%s", err)
	}
	named, err := aliasesIn(content)
	if err != nil {
		return err
	}
	if len(named) == 0 {
		return nil
	}
	nid, err := m.Rooms.NID(ctx, req.RoomID)
	if err != nil {
		return roomerrors.ToClient(err, req.RoomID)
	}
	return m.DB.Read(ctx, func(tx *storage.Reader) error {
		before, err := m.currentAliases(ctx, tx, nid)
		if err != nil {
			return err
		}
		rooms, err := tx.AliasRooms(ctx, named)
		if err != nil {
			return err
		}
		for _, alias := range named {
			// Only what is new must be right.
			if !slices.Contains(before, alias) && rooms[alias] != nid {
				return api.Errorf(400, "M_BAD_ALIAS", "Alias %s does not lead to this room", alias)
			}
		}
		return nil
	})
}

// aliasesIn lists the aliases that the content of m.room.canonical_alias names.
// The content is canonical JSON.
func aliasesIn(body raw.Raw) ([]id.RoomAlias, error) {
	var named []raw.Raw
	if list := event.Member(body, "alt_aliases"); list != nil && string(list) != "null" {
		if list.Kind() != '[' || json.Unmarshal(list, &named) != nil {
			return nil, api.BadJSON("alt_aliases is not a list of aliases")
		}
	}
	if alias := string(event.Member(body, "alias")); alias != "" && alias != "null" && alias != `""` {
		named = append(named, raw.Raw(alias))
	}
	out := make([]id.RoomAlias, len(named))
	for i, raw := range named {
		text, ok := event.Text(raw)
		if !ok {
			return nil, api.BadJSON("an alias is not a string")
		}
		var err error
		if out[i], err = id.ParseRoomAlias(text); err != nil {
			return nil, api.InvalidParam("%s", err)
		}
	}
	return out, nil
}

// currentAliases lists the aliases that the room's state names now.
func (m *Messages) currentAliases(ctx context.Context, tx *storage.Reader, nid int64) ([]id.RoomAlias, error) {
	room, err := tx.RoomByNID(ctx, nid)
	if err != nil {
		return nil, err
	}
	key := storage.StateKey{Type: typeCanonicalAlias}
	found, err := tx.StateGet(ctx, room.StateRoot, key)
	if err != nil || found[key] == 0 {
		return nil, err
	}
	events, err := tx.ViewsByNID(ctx, []int64{found[key]})
	if err != nil {
		return nil, err
	}
	before, err := aliasesIn(roomview.Content(events[0].Client))
	if err != nil {
		return nil, nil // what was wrong before counts for nothing
	}
	return before, nil
}
