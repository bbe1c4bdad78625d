// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/feed"
	"touchstone.example/server/filter"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
)

// addParts reads the parts and adds their news to the answer.
func (a *answerBuilder) addParts(ctx context.Context, all *clientapi.SyncRooms) error {
	rooms, err := a.partRooms(ctx)
	if err != nil {
		return err
	}
	w := &syncpart.Window{
		User: a.who.User, Device: a.who.Device, Since: a.since, ToDevice: a.toDevice, UpTo: a.upTo, Now: a.now, Rooms: rooms,
		Ignored: a.prefers.ignored, ReadMembers: a.memberChanges,
	}
	if a.initial {
		w.Since, w.ToDevice = 0, 0
	}
	news, err := syncpart.Read(ctx, a.Feed, a.tx, a.Parts, w)
	if err != nil {
		return err
	}
	a.addGlobalParts(news)
	nids := slices.Collect(maps.Keys(news.RoomAccountData))
	nids = slices.AppendSeq(nids, maps.Keys(news.Receipts))
	nids = slices.AppendSeq(nids, maps.Keys(news.Typing))
	nids = slices.AppendSeq(nids, maps.Keys(news.Recounted))
	slices.Sort(nids)
	return a.addRoomParts(ctx, all, news, slices.Compact(nids))
}

// partRooms lists the joined rooms for which parts may have news.
func (a *answerBuilder) partRooms(ctx context.Context) (list []syncpart.Room, err error) {
	for _, nid := range a.order {
		if m := a.memberships[nid]; m.Membership == "join" && (a.initial || m.Pos > a.since) {
			list = append(list, syncpart.Room{NID: nid})
		}
	}
	if a.initial || len(a.roomKinds) == 0 {
		return list, nil
	}
	joined := a.unchangedJoins()
	if joined == nil {
		if joined, err = a.readJoined(ctx); err != nil {
			return nil, err
		}
	}
	for nid, m := range joined {
		if m.Pos <= a.since && a.Feed.Changed(a.since, feed.KeysOf(a.roomKinds, "", []int64{nid})...) {
			list = append(list, syncpart.Room{NID: nid, Since: a.since})
		}
	}
	slices.SortFunc(list, func(x, y syncpart.Room) int { return int(x.NID - y.NID) })
	return list, nil
}

// readJoined reads the rooms that the user is in.
func (a *answerBuilder) readJoined(ctx context.Context) (map[int64]*storage.Membership, error) {
	rows, err := a.tx.MembershipsOf(ctx, a.who.User, "join")
	joined := make(map[int64]*storage.Membership, len(rows))
	for _, m := range rows {
		joined[m.RoomNID] = m
	}
	return joined, err
}

func (a *answerBuilder) addGlobalParts(news *syncpart.News) {
	passes := func(typ string) bool { return a.filter.AccountData.Match(typ, a.who.User) }
	if list := accountEvents(news.AccountData, passes); list != nil {
		a.out.AccountData = &clientapi.EventBatch{Events: limited(list, &a.filter.AccountData)}
	}
	var presence []api.Raw
	for i := range news.Presence {
		if p := &news.Presence[i]; a.filter.Presence.Match(p.Type, p.Sender) {
			presence = append(presence, presenceEvent(p))
		}
	}
	if presence != nil {
		a.out.Presence = &clientapi.EventBatch{Events: limited(presence, &a.filter.Presence)}
	}
	if page := news.ToDevice; page != nil && len(page.Events) > 0 {
		a.pageEnd = page.Next
		a.out.NextBatch = a.token(a.upTo, page.Next)
		a.out.ToDevice = &clientapi.SyncToDevice{}
		for _, e := range page.Events {
			a.out.ToDevice.Events = append(a.out.ToDevice.Events, clientapi.SyncToDeviceEvent{Content: e.Content, Sender: e.Sender, Type: e.Type})
		}
	}
	if d := news.DeviceLists; d != nil && len(d.Changed)+len(d.Left) > 0 {
		a.out.DeviceLists = &clientapi.SyncDeviceLists{Changed: d.Changed, Left: d.Left}
	}
}

// addRoomParts adds the news of rooms that the user has joined and that pass the
// filter.
func (a *answerBuilder) addRoomParts(ctx context.Context, all *clientapi.SyncRooms, news *syncpart.News, nids []int64) error {
	if err := a.addRoomUpdate(ctx, nids); err != nil {
		return err
	}
	var recounted []*roomUpdate
	for _, nid := range nids {
		m, roomID := a.memberships[nid], a.ids[nid]
		if m == nil || m.Membership != "join" || !slices.Contains(a.order, nid) {
			continue
		}
		j, told := all.Join[roomID]
		recount := news.Recounted[nid] && !told // else the room's update has the counts
		placed, err := a.addRoomPart(&j, news, nid, roomID)
		if err != nil {
			return err
		}
		if recount {
			recounted = append(recounted, &roomUpdate{answerBuilder: a, nid: nid, id: roomID, joined: true})
		}
		if !placed && !recount {
			continue
		}
		if !told {
			a.emptyRoom(&j)
		}
		putRoom(&all.Join, roomID, j)
	}
	return a.recount(ctx, all, recounted)
}

// addRoomPart adds the news of one room, and reports whether any passed the filter.
func (a *answerBuilder) addRoomPart(j *clientapi.SyncJoinedRoom, news *syncpart.News, nid int64, roomID id.RoomID) (placed bool, err error) {
	passes := func(typ string) bool {
		return a.filter.Room.AccountData.Match(&filter.Header{Type: typ, RoomID: roomID, Sender: a.who.User})
	}
	if list := accountEvents(news.RoomAccountData[nid], passes); list != nil {
		j.AccountData, placed = &clientapi.EventBatch{Events: limited(list, &a.filter.Room.AccountData.Events)}, true
	}
	list, err := a.ephemeral(news, nid, roomID)
	if list != nil {
		j.Ephemeral, placed = &clientapi.EventBatch{Events: list}, true
	}
	return placed, err
}

// addRoomUpdate adds to the answer's rooms those that only parts have news of.
func (a *answerBuilder) addRoomUpdate(ctx context.Context, nids []int64) error {
	var more []int64
	for _, nid := range nids {
		if a.memberships[nid] == nil {
			more = append(more, nid)
		}
	}
	if len(more) == 0 {
		return nil
	}
	list, err := a.membershipsIn(ctx, a.unchangedJoins(), more)
	if err != nil {
		return err
	}
	return a.addRooms(ctx, list)
}

// emptyRoom fills in an empty timeline and state.
func (a *answerBuilder) emptyRoom(j *clientapi.SyncJoinedRoom) {
	j.Timeline = &clientapi.TimelineBatch{Events: []api.Raw{}}
	if batch := (&clientapi.StateEventBatch{Events: []api.Raw{}}); a.stateAfter {
		j.StateAfter = batch
	} else {
		j.State = batch
	}
}

// recount adds the unread counts of rooms in which only these changed.
func (a *answerBuilder) recount(ctx context.Context, all *clientapi.SyncRooms, parts []*roomUpdate) error {
	if err := a.loadUnread(ctx, parts); err != nil {
		return err
	}
	threads, err := a.threads(ctx, parts)
	for _, p := range parts {
		j := all.Join[p.id]
		j.UnreadNotifications, j.UnreadThreadNotifications = p.countsChanged(threads)
		all.Join[p.id] = j
	}
	return err
}

// ephemeral are the events about a room that are in no timeline: one of receipts
// for each thread, since a user may have read an event in several.
//
// Spec: client-server "Receipts", "Typing Notifications".
func (a *answerBuilder) ephemeral(news *syncpart.News, nid int64, roomID id.RoomID) (list []api.Raw, err error) {
	passes := func(typ string, sender id.UserID) bool {
		return a.filter.Room.Ephemeral.Match(&filter.Header{Type: typ, RoomID: roomID, Sender: sender})
	}
	typing := news.Typing[nid].Of(func(u id.UserID) bool { return passes("m.typing", u) })
	if len(typing.Changed) > 0 {
		b := api.AppendStrings([]byte(`{"content":{"user_ids":`), typing.Users)
		list = append(list, append(b, `},"type":"m.typing"}`...))
	}
	threads := map[string][]syncpart.Receipt{}
	for _, r := range news.Receipts[nid] {
		if passes("m.receipt", r.User) {
			threads[r.Thread] = append(threads[r.Thread], r)
		}
	}
	for _, thread := range slices.Sorted(maps.Keys(threads)) {
		content, err := receiptContent(threads[thread])
		if err != nil {
			return nil, err
		}
		list = append(list, accountEvent("m.receipt", content))
	}
	return limited(list, &a.filter.Room.Ephemeral.Events), nil
}

// limited cuts a list to as many events as a filter wants.
func limited(list []api.Raw, f *filter.Events) []api.Raw {
	return list[:f.Limit(len(list), len(list))]
}

// receiptContent is the content of m.receipt: by event, by kind and by user.
func receiptContent(list []syncpart.Receipt) ([]byte, error) {
	type receipt struct {
		TS     int64  `json:"ts"`
		Thread string `json:"thread_id,omitzero"`
	}
	content := map[id.EventID]map[string]map[id.UserID]receipt{}
	for _, r := range list {
		of := content[r.Event]
		if of == nil {
			of = map[string]map[id.UserID]receipt{}
			content[r.Event] = of
		}
		if of[r.Kind] == nil {
			of[r.Kind] = map[id.UserID]receipt{}
		}
		of[r.Kind][r.User] = receipt{r.TS, r.Thread}
	}
	return json.Marshal(content, json.Deterministic(true))
}

// accountEvents encodes the account data that passes the filter; nil for none.
func accountEvents(list []syncpart.Typed, passes func(typ string) bool) (events []api.Raw) {
	for _, t := range list {
		if passes(t.Type) {
			events = append(events, accountEvent(t.Type, t.Content))
		}
	}
	return events
}

func accountEvent(typ string, content []byte) api.Raw {
	b := append([]byte(`{"content":`), content...)
	b = api.AppendString(append(b, `,"type":`...), typ)
	return append(b, '}')
}

// presenceEvent encodes an event with a sender.
func presenceEvent(s *syncpart.Sent) api.Raw {
	b := api.AppendString([]byte(`{"sender":`), s.Sender)
	return append(append(b, ','), accountEvent(s.Type, s.Content)[1:]...)
}
