// SPDX-License-Identifier: Apache-2.0

package messages

import (
	"cmp"
	"context"
	"errors"
	"math"
	"time"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/feed"
	"touchstone.example/server/filter"
	"touchstone.example/server/roomerrors"
	"touchstone.example/server/roomview"
	"touchstone.example/storage"
)

var _ clientapi.MessagePagination = (*Messages)(nil)

// Events of a page of /messages.
const (
	defaultPage = 10
	maxPage     = 1000
)

// GetRoomEvents pages through a room's history, in the order of the room.
//
// Spec: client-server getRoomEvents.
func (m *Messages) GetRoomEvents(ctx context.Context, who api.Caller, req *clientapi.GetRoomEventsRequest) (*clientapi.GetRoomEventsResponse, error) {
	q, err := m.pageQuery(ctx, who, req)
	if err != nil {
		return nil, err
	}
	var page *roomview.Page
	err = m.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		page, err = roomview.ReadPage(ctx, tx, *q)
		return err
	})
	if errors.Is(err, roomview.ErrHidden) {
		return nil, api.Forbidden("You are not in room %s", req.RoomID)
	}
	if err != nil {
		return nil, err
	}
	token := func(at storage.TopoPos) string {
		return feed.Token{Epoch: m.Feed.Epoch(), Pos: q.UpTo, Room: true, TopoPos: at}.String()
	}
	out := &clientapi.GetRoomEventsResponse{
		Start: cmp.Or(req.From.Value, token(page.Start)), Chunk: page.Chunk, State: page.State,
	}
	if page.More {
		out.End = api.Some(token(page.End))
	}
	return out, nil
}

// pageQuery reads what a request asks for.
func (m *Messages) pageQuery(ctx context.Context, who api.Caller, req *clientapi.GetRoomEventsRequest) (*roomview.PageQuery, error) {
	nid, err := m.Rooms.NID(ctx, req.RoomID)
	if err != nil {
		return nil, roomerrors.ToClient(err, req.RoomID)
	}
	q := &roomview.PageQuery{
		View: roomview.NewView(who.User, who.Device, m.Env.NowTS()), RoomNID: nid, RoomID: req.RoomID,
		Forward: req.Dir == clientapi.DirectionF, Limit: defaultPage, Filter: &filter.RoomEvents{},
	}
	if req.Filter.Set {
		if q.Filter, err = filter.ParseRoomEvents([]byte(req.Filter.Value)); err != nil {
			return nil, api.InvalidParam("%s", err)
		}
		q.Limit = q.Filter.Limit(defaultPage, maxPage)
	}
	if req.Limit.Set {
		if req.Limit.Value < 0 {
			return nil, api.InvalidParam("limit is negative")
		}
		q.Limit = int(min(req.Limit.Value, maxPage))
	}
	for _, t := range []struct {
		name string
		in   api.Opt[string]
		out  **feed.Token
	}{{"from", req.From, &q.From}, {"to", req.To, &q.To}} {
		if !t.in.Set {
			continue
		}
		token, err := feed.ParseToken(t.in.Value)
		if err != nil {
			return nil, api.InvalidParam("%s: %s", t.name, err)
		}
		*t.out = &token
	}
	q.UpTo, err = m.reach(ctx, q.From, q.To)
	return q, err
}

// reach returns the position up to which a page goes: at or after those of its tokens.
// A token whose position the database has not reached counts as now; its topological
// position stays valid.
func (m *Messages) reach(ctx context.Context, tokens ...*feed.Token) (upTo int64, err error) {
	known := false
	for _, t := range tokens {
		if t == nil {
			continue
		}
		pos, err := m.Feed.Reach(ctx, t)
		if errors.Is(err, feed.ErrFuture) {
			t.Pos = math.MaxInt64
			continue
		}
		if err != nil {
			return 0, feedError(err)
		}
		upTo, known = max(upTo, pos), true
	}
	if !known {
		upTo, err = m.Feed.Reach(ctx, nil)
	}
	return upTo, feedError(err)
}

// behind is what it means to a client that the feed did not get to a position.
func feedError(err error) error {
	if errors.Is(err, feed.ErrBehind) {
		return api.Unavailable(time.Second, "The server is behind; try again")
	}
	return err
}
