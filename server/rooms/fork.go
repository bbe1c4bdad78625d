// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"fmt"
	"math"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
	"touchstone.example/storage"
)

// A fork is a stateres.Fork on a snapshot of the database: states that are
// roots of which only the differences are read.
type fork struct {
	ctx      context.Context
	tx       *storage.Reader
	rules    *roomver.Rules
	auths    *authCache
	roots    []string
	rejected func(*storage.Event) bool
	fresh    map[int64]*Planned // events that are not in the database yet

	conflicts []stateres.State // what the states do not share
	apart     map[event.StateKey]bool
	base      map[event.StateKey]int64 // what the first state has there
	rows      [][]int64                // the events of conflicts
	nids      map[id.EventID]int64
	inShared  map[int64]bool // whether events are in the auth chain of a shared entry
	events    map[id.EventID]stateres.Entry
}

func newFork(ctx context.Context, tx *storage.Reader, rules *roomver.Rules, roots []string) *fork {
	return &fork{
		ctx: ctx, tx: tx, rules: rules, roots: roots, fresh: map[int64]*Planned{},
		nids: map[id.EventID]int64{}, events: map[id.EventID]stateres.Entry{}, inShared: map[int64]bool{},
		apart: map[event.StateKey]bool{}, base: map[event.StateKey]int64{},
	}
}

// remember adds a state event that is planned and not stored yet. It is in one of the
// states only, so that it authorises nothing that they share.
func (f *fork) remember(p *Planned) {
	if p.IsState() {
		f.nids[p.ID], f.fresh[p.nid] = p.nid, p
		f.events[p.ID] = stateres.Entry{Event: p.Event}
	}
}

// separate finds what the states do not share, from their differences to the
// first one.
func (f *fork) separate() error {
	diffs := make([][]storage.StateChange, len(f.roots))
	var nids []int64
	for i, root := range f.roots[1:] {
		diff, err := f.tx.StateDiff(f.ctx, f.roots[0], root)
		if err != nil {
			return err
		}
		diffs[i+1] = diff
		for _, c := range diff {
			nids = append(nids, c.Old, c.New)
		}
	}
	slices.Sort(nids)
	nids = slices.DeleteFunc(slices.Compact(nids), func(nid int64) bool { return nid == 0 })
	byNID, err := f.read(nids)
	if err != nil {
		return err
	}
	news := make([]map[event.StateKey]int64, len(f.roots))
	for i, diff := range diffs {
		news[i] = make(map[event.StateKey]int64, len(diff))
		for _, c := range diff {
			of := byNID[max(c.New, c.Old)]
			if of == nil {
				return fmt.Errorf("an event of a state is missing: %d or %d", c.Old, c.New)
			}
			key := of.Key()
			f.apart[key], f.base[key], news[i][key] = true, c.Old, c.New
		}
	}
	f.conflicts, f.rows = make([]stateres.State, len(f.roots)), make([][]int64, len(f.roots))
	for i := range f.roots {
		f.conflicts[i] = make(stateres.State, len(f.apart))
		for key := range f.apart {
			nid, changed := news[i][key]
			if !changed {
				nid = f.base[key]
			}
			if nid != 0 {
				f.conflicts[i][key] = byNID[nid].ID
				f.rows[i] = append(f.rows[i], nid)
			}
		}
	}
	return nil
}

// read loads events by row and keeps them.
func (f *fork) read(nids []int64) (map[int64]*event.Event, error) {
	byNID := make(map[int64]*event.Event, len(nids))
	for chunk := range slices.Chunk(nids, eventsPerQuery) {
		rows, err := f.tx.EventsByNID(f.ctx, chunk)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			ev, err := f.intern(row)
			if err != nil {
				return nil, err
			}
			byNID[row.NID] = ev
		}
	}
	for nid, p := range f.fresh {
		byNID[nid] = p.Event
	}
	return byNID, nil
}

// eventsPerQuery bounds the events of one query.
const eventsPerQuery = 1000

func (f *fork) intern(row *storage.Event) (*event.Event, error) {
	ev, err := eventOf(f.rules, row)
	if err != nil {
		return nil, err
	}
	f.nids[row.ID] = row.NID
	f.events[row.ID] = stateres.Entry{Event: ev, Rejected: f.rejected(row)}
	f.auths.put(row.NID, row.AuthNIDs)
	return ev, nil
}

// Load is the method of stateres.Source.
func (f *fork) Load(ids []id.EventID, into []stateres.Entry) error {
	var missing []id.EventID
	for _, eventID := range ids {
		if _, known := f.events[eventID]; !known {
			f.events[eventID] = stateres.Entry{}
			missing = append(missing, eventID)
		}
	}
	for chunk := range slices.Chunk(missing, eventsPerQuery) {
		rows, err := f.tx.EventsByID(f.ctx, chunk)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if _, err := f.intern(row); err != nil {
				return err
			}
		}
	}
	for i, eventID := range ids {
		into[i] = f.events[eventID]
	}
	return nil
}

// Shared is the method of stateres.Fork.
func (f *fork) Shared(keys []event.StateKey, into []id.EventID) error {
	ask := make([]storage.StateKey, 0, len(keys))
	for _, key := range keys {
		if !f.apart[key] {
			ask = append(ask, storage.StateKey{Type: key.Type, Key: key.Key})
		}
	}
	found, err := f.tx.StateGet(f.ctx, f.roots[0], ask...)
	if err != nil {
		return err
	}
	nids := make([]int64, 0, len(found))
	for _, nid := range found {
		nids = append(nids, nid)
	}
	ids, err := f.ids(nids)
	if err != nil {
		return err
	}
	for i, key := range keys {
		into[i] = ids[found[storage.StateKey{Type: key.Type, Key: key.Key}]]
	}
	return nil
}

// ids names events by row.
func (f *fork) ids(nids []int64) (map[int64]id.EventID, error) {
	all := make(map[int64]id.EventID, len(nids))
	for chunk := range slices.Chunk(nids, eventsPerQuery) {
		ids, err := f.tx.EventIDs(f.ctx, chunk)
		if err != nil {
			return nil, err
		}
		for nid, eventID := range ids {
			all[nid] = eventID
			f.nids[eventID] = nid
		}
	}
	for nid, p := range f.fresh {
		all[nid] = p.ID
	}
	return all, nil
}

// AuthDifference is the method of stateres.Fork. It is that of the conflicted
// entries, less what the auth chains of shared entries have: those are many, so
// each event is asked for whom it authorises instead.
func (f *fork) AuthDifference() ([]id.EventID, error) {
	difference, err := stateres.AuthDifference(f, nil, f.rows)
	if err != nil {
		return nil, err
	}
	var alone []int64
	for _, nid := range slices.Backward(difference) { // what authorises comes after what it authorises
		if f.inShared[nid], err = f.authorisesShared(nid); err != nil {
			return nil, err
		}
		if !f.inShared[nid] {
			alone = append(alone, nid)
		}
	}
	return f.named(alone)
}

// authorisesShared tells whether an event is in the auth chain of an entry that
// all states share. The latest events are asked first: they are the likeliest to
// be entries still.
func (f *fork) authorisesShared(nid int64) (bool, error) {
	seen := map[int64]bool{nid: true}
	for next := []int64{nid}; len(next) > 0; next = next[1:] {
		for before := int64(math.MaxInt64); ; {
			page, err := f.tx.EventsAuthorisedBy(f.ctx, next[0], before, authEdgesPerQuery)
			if err != nil {
				return false, err
			}
			shared, err := f.anyShared(page)
			if err != nil || shared {
				return shared, err
			}
			for _, e := range page {
				in, known := f.inShared[e.NID]
				if in {
					return true, nil
				}
				if !known && !seen[e.NID] && authorises(e.Type) {
					seen[e.NID] = true
					next = append(next, e.NID)
				}
				before = e.NID
			}
			if len(page) < authEdgesPerQuery {
				break
			}
		}
	}
	return false, nil
}

const authEdgesPerQuery = 100

// authorises tells whether events of a type can be auth events.
//
// Spec: server-server "Auth events selection".
func authorises(typ string) bool {
	switch typ {
	case event.TypeCreate, event.TypePowerLevels, event.TypeJoinRules, event.TypeMember, event.TypeThirdPartyInvite:
		return true
	}
	return false
}

// anyShared tells whether one of some events is an entry that all states share.
func (f *fork) anyShared(events []storage.StateEntry) (bool, error) {
	keys := make([]storage.StateKey, 0, len(events))
	for _, e := range events {
		if !f.apart[event.StateKey{Type: e.Type, Key: e.Key}] {
			keys = append(keys, e.StateKey)
		}
	}
	found, err := f.tx.StateGet(f.ctx, f.roots[0], keys...)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(events, func(e storage.StateEntry) bool { return found[e.StateKey] == e.NID }), nil
}

func (f *fork) named(nids []int64) ([]id.EventID, error) {
	ids, err := f.ids(nids)
	if err != nil {
		return nil, err
	}
	out := make([]id.EventID, 0, len(nids))
	for _, nid := range nids {
		out = append(out, ids[nid])
	}
	return out, nil
}

// Between is the method of stateres.Fork.
func (f *fork) Between(events []id.EventID) ([]id.EventID, error) {
	nids := make([]int64, 0, len(events))
	for _, eventID := range events {
		if nid, stored := f.nids[eventID]; stored {
			nids = append(nids, nid)
		}
	}
	between, err := stateres.ConflictedSubgraph(f, nids)
	if err != nil {
		return nil, err
	}
	return f.named(between)
}

// AuthEvents is the method of stateres.Graph.
func (f *fork) AuthEvents(nids []int64, into [][]int64) error {
	missing := f.auths.get(nids, into)
	for chunk := range slices.Chunk(missing, eventsPerQuery) {
		auth, err := f.tx.AuthNIDs(f.ctx, chunk)
		if err != nil {
			return err
		}
		for nid, list := range auth {
			f.auths.put(nid, list)
		}
		for i, nid := range nids {
			if list, ok := auth[nid]; ok {
				into[i] = list
			}
		}
	}
	for i, nid := range nids {
		if p := f.fresh[nid]; p != nil {
			into[i] = numbers(p.auth)
		}
	}
	return nil
}

// sets are the changes that make the first state the resolved one, of which
// state has what is not shared.
func (f *fork) sets(state stateres.State) ([]storage.StateSet, error) {
	keys := make([]event.StateKey, 0, len(state)+len(f.apart))
	for key := range f.apart {
		keys = append(keys, key)
	}
	for key := range state {
		if !f.apart[key] { // from the auth chains
			keys = append(keys, key)
		}
	}
	var sets []storage.StateSet
	for _, key := range keys {
		nid := f.nids[state[key]]
		if nid == 0 && state[key] != "" {
			return nil, fmt.Errorf("resolved to event %s, which is not stored", state[key])
		}
		if nid != f.base[key] {
			sets = append(sets, storage.StateSet{StateKey: storage.StateKey{Type: key.Type, Key: key.Key}, NID: nid})
		}
	}
	return sets, nil
}
