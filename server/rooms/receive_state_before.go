// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"

	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
	"touchstone.example/storage"
)

// checkStateBefore rejects an event that the state before it does not allow:
// that to which the states after its previous events resolve.
//
// Spec: server-server "Checks performed on receipt of a PDU", 5.
func (a *inbound) checkStateBefore(ctx context.Context) error {
	var err error
	if a.stateBefore, err = a.r.resolve(ctx, a.rules, a.states); err != nil || a.outcome != Accepted {
		return err
	}
	known, err := a.r.stateFor(ctx, a.rules, a.stateBefore, a.ev)
	if err != nil {
		return err
	}
	var state eventauth.State = known
	if a.partialState {
		state = a.withAuthEvents(known)
	}
	return a.applyRules(Rejected, 5, eventauth.Check(a.rules, a.ev, state, a.verify))
}

// withAuthEvents is a state of which not all is known yet, as the fourth check
// and it together have it.
func (a *inbound) withAuthEvents(state eventauth.State) eventauth.State {
	return &filled{state, eventauth.StateOf(a.authEvents...)}
}

// filled is a state with others in place of what it lacks.
type filled struct {
	eventauth.State
	others eventauth.StateMap
}

func (f *filled) Event(typ, stateKey string) *event.Event {
	if ev := f.State.Event(typ, stateKey); ev != nil {
		return ev
	}
	return f.others.Event(typ, stateKey)
}

// stateFor reads of a state what the rules look at to judge an event.
func (r *Rooms) stateFor(ctx context.Context, rules *roomver.Rules, root string, ev *event.Event) (eventauth.StateMap, error) {
	keys := eventauth.AuthKeysOf(ev)
	ask := []storage.StateKey{{Type: event.TypeCreate}, {Type: event.TypePowerLevels}}
	for _, k := range keys {
		ask = append(ask, storage.StateKey{Type: k.Type, Key: k.Key})
	}
	state := eventauth.StateMap{}
	err := r.db.Read(ctx, func(tx *storage.Reader) error {
		found, err := stateEvents(ctx, tx, rules, root, ask)
		for _, s := range found {
			state[s.Key()] = s.Event
		}
		return err
	})
	return state, err
}
