// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"crypto/sha256"

	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
)

// A Draft is an event of a user of this server before it is built: its room decides
// what it refers to and whether it is allowed.
type Draft struct {
	Sender   id.UserID
	Type     string
	StateKey *string // nil for message events
	Content  raw.Raw
	Redacts  id.EventID // target of a redaction
	Guest    bool       // the sender is a guest
	TS       int64      // zero: now
}

// extend builds the event that puts d behind the head's tips, and checks it
// against the state before it and the current state.
//
// Spec: server-server "Checks performed on receipt of a PDU", steps 4 to 6,
// which coincide for an event that refers to all forward extremities.
func (r *Rooms) buildEvent(ctx context.Context, h *head, d Draft) (*Planned, error) {
	var err error
	if d.Content, err = canonjson.Append(nil, d.Content, numberMode(h.rules)); err != nil {
		return nil, &InvalidContent{Reason: err.Error()}
	}
	keys := eventauth.AuthKeys(h.rules, d.Type, d.Sender, d.StateKey, d.Content)
	load := append(keys[:len(keys):len(keys)], keyCreate, keyPowerLevels) // every rule reads them
	if d.StateKey != nil {
		load = append(load, event.StateKey{Type: d.Type, Key: *d.StateKey})
	}
	base, err := r.chooseBase(ctx, h)
	if err != nil {
		return nil, err
	}
	if err := base.ensure(ctx, r.db, load...); err != nil {
		return nil, err
	}
	refs := event.Draft{
		RoomID: h.room.ID, Sender: d.Sender, Type: d.Type, StateKey: d.StateKey,
		Content: d.Content, Redacts: d.Redacts, OriginServerTS: d.TS,
	}
	switch {
	case d.TS != 0:
	case d.Type == event.TypeCreate && h.rules.RoomIDIsCreateHash:
		refs.OriginServerTS = r.nextCreateTS()
	default:
		refs.OriginServerTS = r.env.NowTS()
	}
	auth, depth := base.setReferences(&refs, keys)
	if d.Type == event.TypeCreate && h.rules.RoomIDIsCreateHash {
		refs.RoomID = ""
	}
	ev, err := event.Build(h.rules, refs, r.signer)
	if err != nil {
		return nil, unbuildable(err)
	}
	if ev.Type == event.TypePowerLevels && !h.rules.IntegerPowerLevels {
		if err := eventauth.IntegerLevels(ev); err != nil {
			return nil, rejected(h.rules, err)
		}
	}
	if err := eventauth.Check(h.rules, ev, base, r.verify); err != nil {
		return nil, rejected(h.rules, err)
	}
	p := &Planned{stored: &stored{Event: ev, depth: depth}, auth: auth}
	if d.StateKey != nil {
		p.replaces = base.get(d.Type, *d.StateKey)
	}
	if base != h {
		return p, r.mergeBranch(ctx, h, base, p, load)
	}
	if d.StateKey != nil {
		p.delta = []stateChange{{key: ev.Key(), old: p.replaces, new: p.stored}}
	}
	p.unread, err = r.countUnread(h, ev)
	return p, err
}

// setReferences has an event name those that it follows and those that authorise it.
// depth is its topological position in the room.
func (h *head) setReferences(refs *event.Draft, keys []event.StateKey) (auth []*stored, depth int64) {
	refs.ReferenceHashes = map[id.EventID][sha256.Size]byte{}
	refer := func(to *stored) id.EventID {
		if h.rules.ReferencesCarryHashes {
			refs.ReferenceHashes[to.ID] = to.ReferenceHash()
		}
		return to.ID
	}
	depth = 1
	for _, tip := range h.extremities {
		refs.PrevEvents = append(refs.PrevEvents, refer(tip))
		refs.Depth = max(refs.Depth, event.DepthAfter(h.rules, tip.Depth))
		depth = max(depth, event.DepthAfter(h.rules, tip.depth))
	}
	refs.Depth = max(refs.Depth, 1)
	for _, k := range keys {
		if s := h.get(k.Type, k.Key); s != nil {
			auth = append(auth, s)
			refs.AuthEvents = append(refs.AuthEvents, refer(s))
		}
	}
	return auth, depth
}

// numbersOf says which numbers the content of a room's events may have.
func numberMode(rules *roomver.Rules) canonjson.Mode {
	if rules.StrictJSON {
		return canonjson.Strict
	}
	return canonjson.Lenient
}
