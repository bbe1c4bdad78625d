// SPDX-License-Identifier: Apache-2.0

package accountdata

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/storage"
)

var _ clientapi.Tags = (*AccountData)(nil)

// maxTag bounds the name of a tag, in bytes.
//
// Spec: client-server "Room Tagging", "Events".
const maxTag = 255

// GetRoomTags returns the caller's tags of a room.
//
// Spec: client-server getRoomTags.
func (a *AccountData) GetRoomTags(ctx context.Context, who api.Caller, req *clientapi.GetRoomTagsRequest) (*clientapi.GetRoomTagsResponse, error) {
	if err := own(who, req.UserID); err != nil {
		return nil, err
	}
	content, err := a.read(ctx, who.User, req.RoomID, typeTag)
	var refusal *api.Error
	if err != nil && !errors.As(err, &refusal) {
		return nil, err
	}
	out := &clientapi.GetRoomTagsResponse{Tags: map[string]clientapi.Tag{}}
	for name, value := range tagsIn(content) {
		var tag clientapi.Tag
		if json.Unmarshal(value, &tag) == nil { // m.tag can be set to anything
			out.Tags[name] = tag
		}
	}
	return out, nil
}

// SetRoomTag adds a tag to a room.
//
// Spec: client-server setRoomTag.
func (a *AccountData) SetRoomTag(ctx context.Context, who api.Caller, req *clientapi.SetRoomTagRequest) (*api.Empty, error) {
	if len(req.Tag) > maxTag {
		return nil, api.InvalidParam("The tag is longer than %d bytes", maxTag)
	}
	return a.changeTags(ctx, who, req.UserID, req.RoomID, func(tags map[string]api.Raw) {
		tags[req.Tag] = req.Body.AppendJSON(nil)
	})
}

// DeleteRoomTag takes a tag away from a room, whether it is there or not.
//
// Spec: client-server deleteRoomTag.
func (a *AccountData) DeleteRoomTag(ctx context.Context, who api.Caller, req *clientapi.DeleteRoomTagRequest) (*api.Empty, error) {
	return a.changeTags(ctx, who, req.UserID, req.RoomID, func(tags map[string]api.Raw) { delete(tags, req.Tag) })
}

func (a *AccountData) changeTags(ctx context.Context, who api.Caller, user id.UserID, room id.RoomID, edit func(map[string]api.Raw)) (*api.Empty, error) {
	if err := own(who, user); err != nil {
		return nil, err
	}
	return a.change(ctx, user, room, typeTag, func(ctx context.Context, tx *storage.Writer, nid int64) ([]byte, error) {
		d, err := tx.LockAccountData(ctx, user, nid, typeTag)
		if err != nil {
			return nil, err
		}
		tags := tagsIn(d.Content)
		edit(tags)
		return tagContent(tags), nil
	})
}

// tagsIn returns the tags in the content of m.tag.
func tagsIn(content []byte) map[string]api.Raw {
	tags := map[string]api.Raw{}
	if json.Unmarshal(event.Member(content, "tags"), &tags) != nil || tags == nil {
		return map[string]api.Raw{}
	}
	return tags
}

func tagContent(tags map[string]api.Raw) []byte {
	b := []byte(`{"tags":{`)
	for i, name := range slices.Sorted(maps.Keys(tags)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(api.AppendString(b, name), ':'), tags[name]...)
	}
	return append(b, "}}"...)
}

// isEmpty reports whether a JSON object has no members.
func isEmpty(object []byte) bool {
	var members map[string]api.Raw
	return json.Unmarshal(object, &members) == nil && len(members) == 0
}
