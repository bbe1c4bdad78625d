// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomview"
	"touchstone.example/storage"
)

// maxHeroes is how many members are listed for a room without a name.
const maxHeroes = 5

// changesSummary reports whether the room's summary may have changed: its members, or
// whether it has a name.
func (p *roomUpdate) changesSummary() bool {
	return p.wholeState || p.skipped || p.resolved || slices.ContainsFunc(p.timeline, func(e *storage.Event) bool {
		switch e.Type {
		case "m.room.member", "m.room.name", "m.room.canonical_alias":
			return e.StateKey != nil
		}
		return false
	})
}

// loadSummaries reads the summaries that may have changed: the member counts, and the
// heroes of rooms without a name.
//
// Spec: client-server sync, "RoomSummary".
func (a *answerBuilder) loadSummaries(ctx context.Context, parts []*roomUpdate) error {
	var described []*roomUpdate
	var nids []int64
	for _, p := range parts {
		if p.joined && p.changesSummary() {
			described, nids = append(described, p), append(nids, p.nid)
		}
	}
	if len(described) == 0 {
		return nil
	}
	counts, err := a.countMembers(ctx, nids)
	if err != nil {
		return err
	}
	for _, p := range described {
		p.counts = counts[p.nid]
	}
	if err := a.findNames(ctx, described); err != nil {
		return err
	}
	for _, p := range described {
		if !p.hasName {
			p.heroes = []id.UserID{} // an empty list if there are no other members
		}
	}
	for _, memberships := range [][2]string{{"join", "invite"}, {"leave", "ban"}} {
		if err := a.findHeroes(ctx, described, memberships); err != nil {
			return err
		}
	}
	return nil
}

// countMembers counts the joined and the invited members of rooms.
func (a *answerBuilder) countMembers(ctx context.Context, nids []int64) (map[int64]map[string]int64, error) {
	known, unknown := a.counts.get(a.Feed, nids)
	if len(unknown) == 0 {
		return known, nil
	}
	counts, err := a.tx.CountMembers(ctx, unknown, "join", "invite")
	if err != nil {
		return nil, err
	}
	for _, nid := range unknown {
		of := counts[nid]
		if of == nil {
			of = map[string]int64{}
		}
		known[nid] = of
		a.counts.put(nid, of, nid, a.upTo)
	}
	return known, nil
}

// findNames finds the rooms that have a name or canonical alias that is not empty.
func (a *answerBuilder) findNames(ctx context.Context, parts []*roomUpdate) error {
	byNID := map[int64]*roomUpdate{}
	var nids []int64
	for _, p := range parts {
		found, err := a.tx.StateGet(ctx, p.root.Root,
			storage.StateKey{Type: "m.room.name"}, storage.StateKey{Type: "m.room.canonical_alias"})
		if err != nil {
			return err
		}
		for _, nid := range found {
			byNID[nid] = p
			nids = append(nids, nid)
		}
	}
	if len(nids) == 0 {
		return nil
	}
	events, err := a.tx.ViewsByNID(ctx, nids)
	for _, e := range events {
		content := roomview.Content(e.Client)
		name, _ := event.Text(event.Member(content, "name"))
		alias, _ := event.Text(event.Member(content, "alias"))
		if name != "" && e.Type == "m.room.name" || alias != "" && e.Type == "m.room.canonical_alias" {
			byNID[e.NID].hasName = true
		}
	}
	return err
}

func (a *answerBuilder) findHeroes(ctx context.Context, parts []*roomUpdate, memberships [2]string) error {
	var nids []int64
	for _, p := range parts {
		if !p.hasName && len(p.heroes) == 0 {
			nids = append(nids, p.nid)
		}
	}
	if len(nids) == 0 {
		return nil
	}
	heroes, err := a.tx.FirstMembersIn(ctx, nids, a.who.User, maxHeroes, memberships[0], memberships[1])
	for _, p := range parts {
		if found := heroes[p.nid]; found != nil {
			p.heroes = found
		}
	}
	return err
}

// loadUnread reads the unread counts of the joined rooms.
func (a *answerBuilder) loadUnread(ctx context.Context, parts []*roomUpdate) error {
	var nids []int64
	for _, p := range parts {
		if p.joined {
			nids = append(nids, p.nid)
		}
	}
	if len(nids) == 0 {
		return nil
	}
	counts, err := a.tx.UnreadIn(ctx, a.who.User, nids, a.upTo)
	for _, p := range parts {
		p.unread = counts[p.nid]
	}
	return err
}
