// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	runtime "touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
)

// syncAnswer returns a /sync response with this many rooms of ten events each.
func syncAnswer(rooms int) *clientapi.SyncResponse {
	res := &clientapi.SyncResponse{NextBatch: "s1", Rooms: &clientapi.SyncRooms{Join: map[id.RoomID]clientapi.SyncJoinedRoom{}}}
	for i := range rooms {
		var timeline []runtime.Raw
		for j := range 10 {
			timeline = append(timeline, runtime.Raw(fmt.Sprintf(`{"content":{"body":"message %d of a few words, as they are","msgtype":"m.text"},"event_id":"$%043d","origin_server_ts":1700000000000,"room_id":"!%d:example.org","sender":"@alice:example.org","type":"m.room.message","unsigned":{"age":1}}`, j, j, i)))
		}
		res.Rooms.Join[id.RoomID(fmt.Sprintf("!%d:example.org", i))] = clientapi.SyncJoinedRoom{
			Timeline:            &clientapi.TimelineBatch{Events: timeline, Limited: runtime.Some(false), PrevBatch: runtime.Some("p1")},
			Summary:             &clientapi.SyncRoomSummary{Heroes: []id.UserID{"@bob:example.org"}, JoinedMemberCount: runtime.Some[int64](2)},
			UnreadNotifications: &clientapi.UnreadCounts{HighlightCount: runtime.Some[int64](0)},
		}
	}
	return res
}

// TestSyncEncodesWithoutAllocation checks that the encoder does not allocate.
func TestSyncEncodesWithoutAllocation(t *testing.T) {
	res := syncAnswer(20)
	buf := res.AppendJSON(nil)
	var back clientapi.SyncResponse
	require.NoError(t, jsonv2.Unmarshal(buf, &back))
	require.Equal(t, string(buf), string(back.AppendJSON(nil)))
	require.Zero(t, testing.AllocsPerRun(20, func() { buf = res.AppendJSON(buf[:0]) }))
}

func BenchmarkSyncEncode(b *testing.B) {
	res := syncAnswer(20)
	buf := res.AppendJSON(nil)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = res.AppendJSON(buf[:0])
	}
}

func BenchmarkSyncDecode(b *testing.B) {
	buf := syncAnswer(20).AppendJSON(nil)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		var back clientapi.SyncResponse
		if err := jsonv2.Unmarshal(buf, &back); err != nil {
			b.Fatal(err)
		}
	}
}
