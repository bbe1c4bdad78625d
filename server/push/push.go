// SPDX-License-Identifier: Apache-2.0

// Package push is how people hear of what they have not read: their push rules,
// and later the gateways that are told. The rules themselves are decided by
// package pushrules.
package push

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/server/feed"
	"touchstone.example/server/pushrules"
	"touchstone.example/storage"
)

// Deps are what push needs.
type Deps struct {
	DB   *storage.DB
	Feed *feed.Feed
	// Predefined are the rules that every user has: those of the specification if
	// it is nil.
	Predefined *pushrules.Predefined
}

// Push serves push rules and evaluates those of the members of rooms.
type Push struct {
	Deps
	rules cache
}

// New makes the slice.
func New(d Deps) *Push {
	if d.Predefined == nil {
		d.Predefined = pushrules.Standard
	}
	return &Push{Deps: d}
}

// Content is what m.push_rules of a user's account data holds: all rules.
//
// Spec: client-server "m.push_rules".
func (p *Push) Content(ctx context.Context, user id.UserID) ([]byte, error) {
	set, err := p.ruleset(ctx, user)
	if err != nil {
		return nil, err
	}
	return content(set), nil
}

func content(set *pushrules.Ruleset) []byte {
	return append(set.AppendJSON([]byte(`{"global":`)), '}')
}

// ruleset returns all rules of a user.
func (p *Push) ruleset(ctx context.Context, user id.UserID) (set *pushrules.Ruleset, err error) {
	err = p.DB.Read(ctx, func(tx *storage.Reader) error {
		set, err = p.read(ctx, tx, user)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("push rules of %s: %w", user, err)
	}
	return set, nil
}

func (p *Push) read(ctx context.Context, tx *storage.Reader, user id.UserID) (*pushrules.Ruleset, error) {
	row, err := tx.PushRules(ctx, user)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	return p.parse(user, row)
}

// parse returns all rules of a user who has changed these.
func (p *Push) parse(user id.UserID, row storage.PushRules) (*pushrules.Ruleset, error) {
	if len(row.Rules) == 0 {
		return p.Predefined.Defaults(user), nil
	}
	return p.Predefined.Parse(user, row.Rules)
}

// errSame ends a transaction that would change nothing.
var errSame = errors.New("nothing has changed")

// change changes the caller's rules and tells the caller's devices. What is the
// same afterwards is not told.
func (p *Push) change(ctx context.Context, who api.Caller, edit func(set *pushrules.Ruleset) error) error {
	var pos int64
	err := p.DB.Write(ctx, func(tx *storage.Writer) error {
		if err := tx.ChangeRules(ctx, who.User); err != nil {
			return err
		}
		set, err := p.read(ctx, tx.Reader, who.User)
		if err != nil {
			return err
		}
		was := content(set)
		if err := edit(set); err != nil {
			return refusal(err)
		}
		if bytes.Equal(was, content(set)) {
			return errSame
		}
		if pos, err = tx.ReservePosition(ctx); err != nil {
			return err
		}
		row := storage.PushRules{Rules: set.AppendChanges(nil), Pos: pos}
		if err := tx.PutPushRules(ctx, who.User, row); err != nil {
			return err
		}
		return tx.InsertChange(ctx, storage.Change{Pos: pos, Kind: string(feed.KindAccountData), UserID: string(who.User)})
	})
	var told *api.Error
	switch {
	case errors.Is(err, errSame):
		return nil
	case errors.As(err, &told):
		return told
	case err != nil:
		return fmt.Errorf("change the push rules of %s: %w", who.User, err)
	}
	if err := p.Feed.WaitFor(ctx, pos); !errors.Is(err, feed.ErrBehind) {
		return err
	}
	return nil
}

// refusal is what a client is told of a change that is not possible.
func refusal(err error) error {
	switch {
	case errors.Is(err, pushrules.ErrNotFound):
		return api.NotFound("The push rule was not found")
	case errors.Is(err, pushrules.ErrRuleID):
		return api.InvalidParam("%s", err)
	case errors.Is(err, pushrules.ErrRule):
		return api.BadJSON("%s", err)
	case errors.Is(err, pushrules.ErrAnchor), errors.Is(err, pushrules.ErrFull):
		return api.Unknown("%s", err) // Spec: client-server setPushRule, 400
	}
	return err
}
