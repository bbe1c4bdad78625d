// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"fmt"
	"slices"

	"touchstone.example/server/roomver"
	"touchstone.example/server/stateres"
	"touchstone.example/storage"
)

// resolve returns the root of the state that some states of a room resolve to.
// It loads, computes and then writes: no transaction is open while it computes.
// What it costs is in proportion to what the states do not share.
//
// Spec: server-server "Room State Resolution".
func (r *Rooms) resolve(ctx context.Context, rules *roomver.Rules, roots []string) (string, error) {
	return r.resolveBy(ctx, rules, roots, func(row *storage.Event) bool { return row.Rejected })
}

// resolveBy is resolve where other verdicts may count than those that are stored,
// and where some events of the states are planned and not stored yet.
func (r *Rooms) resolveBy(ctx context.Context, rules *roomver.Rules, roots []string, rejected func(*storage.Event) bool, fresh ...*Planned) (string, error) {
	roots = slices.Compact(slices.Sorted(slices.Values(roots)))
	switch len(roots) {
	case 0:
		return "", nil
	case 1:
		return roots[0], nil
	}
	var sets []storage.StateSet
	err := r.db.Read(ctx, func(tx *storage.Reader) error {
		f := newFork(ctx, tx, rules, roots)
		f.auths, f.rejected = &r.auths, rejected
		for _, p := range fresh {
			f.remember(p)
		}
		if err := f.separate(); err != nil {
			return err
		}
		state, err := stateres.ResolveFork(rules, f.conflicts, f, nil)
		if err == nil {
			sets, err = f.sets(state)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("resolve %d states: %w", len(roots), err)
	}
	return r.applied(ctx, roots[0], sets)
}

// applied changes a state in a transaction of its own. Nothing refers to the
// new state yet; if nothing ever does, its nodes are garbage.
func (r *Rooms) applied(ctx context.Context, root string, sets []storage.StateSet) (string, error) {
	if len(sets) == 0 {
		return root, nil
	}
	to := root
	err := r.db.Write(ctx, func(tx *storage.Writer) (err error) {
		to, err = tx.StateApply(ctx, root, sets...)
		return err
	})
	return to, err
}
