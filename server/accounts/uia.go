// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/storage"
)

// The stages of user-interactive authentication that this server has.
const (
	stageDummy    = "m.login.dummy"
	stagePassword = "m.login.password"
	stageToken    = "m.login.registration_token"
)

// sessionLife is how long a session can be completed, in milliseconds.
const sessionLife = 15 * 60 * 1000

// A challenge is what must be proved before an operation goes on: the stages
// of its one flow, in order.
type challenge struct {
	operation string
	user      id.UserID // whose password; empty at registration
	flow      []string
}

// interact goes through user-interactive authentication: it returns nil once
// every stage is completed, and else the answer that asks for the next one.
//
// Spec: client-server "User-Interactive Authentication API".
func (a *Accounts) interact(ctx context.Context, c challenge, auth *clientapi.AuthData) error {
	if auth == nil || !auth.Type.Set && !auth.Session.Set {
		s := &storage.UIAuthSession{
			ID: a.Env.Rand.Token("ui auth session", c.operation, 24), Operation: c.operation,
			UserID: c.user, CreatedAt: a.Env.NowTS(),
		}
		if err := a.DB.Write(ctx, func(tx *storage.Writer) error { return tx.InsertUIAuthSession(ctx, s) }); err != nil {
			return fmt.Errorf("begin authentication: %w", err)
		}
		return c.ask(s, nil)
	}
	s, err := a.session(ctx, c, auth)
	if err != nil {
		return err
	}
	completed := strings.Fields(s.Completed)
	if auth.Type.Set && !slices.Contains(completed, auth.Type.Value) {
		if refused := a.stage(ctx, c, auth); refused != nil {
			return c.refuse(s, refused)
		}
		completed = append(completed, auth.Type.Value)
	}
	for _, stage := range c.flow {
		if !slices.Contains(completed, stage) {
			s.Completed = strings.Join(completed, " ")
			if err := a.keep(ctx, s); err != nil {
				return err
			}
			return c.ask(s, nil)
		}
	}
	return nil
}

// session finds the session that a request goes on with. A request without one
// that completes everything at once needs none.
func (a *Accounts) session(ctx context.Context, c challenge, auth *clientapi.AuthData) (*storage.UIAuthSession, error) {
	if !auth.Session.Set {
		return &storage.UIAuthSession{
			ID: a.Env.Rand.Token("ui auth session", c.operation, 24), Operation: c.operation,
			UserID: c.user, CreatedAt: a.Env.NowTS(),
		}, nil
	}
	var s *storage.UIAuthSession
	err := a.DB.Write(ctx, func(tx *storage.Writer) (err error) {
		s, err = tx.UIAuthSession(ctx, auth.Session.Value)
		return err
	})
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, fmt.Errorf("find authentication session: %w", err)
	}
	if err != nil || s.Operation != c.operation || s.UserID != c.user || a.Env.NowTS() > s.CreatedAt+sessionLife {
		return nil, api.Forbidden("There is no authentication session %q for this operation", auth.Session.Value)
	}
	return s, nil
}

// keep stores how far a session has come, new ones too.
func (a *Accounts) keep(ctx context.Context, s *storage.UIAuthSession) error {
	err := a.DB.Write(ctx, func(tx *storage.Writer) error {
		_, err := tx.UIAuthSession(ctx, s.ID)
		if errors.Is(err, storage.ErrNotFound) {
			return tx.InsertUIAuthSession(ctx, s)
		}
		if err != nil {
			return err
		}
		return tx.PutUIAuthSession(ctx, s)
	})
	if err != nil {
		return fmt.Errorf("store authentication session: %w", err)
	}
	return nil
}

// stage checks what a client offers for one stage.
func (a *Accounts) stage(ctx context.Context, c challenge, auth *clientapi.AuthData) *api.Error {
	typ := auth.Type.Value
	if !slices.Contains(c.flow, typ) {
		return api.Forbidden("%q is no stage of this authentication", typ)
	}
	switch typ {
	case stageDummy:
		return nil
	case stageToken:
		token, ok := event.Text(auth.Extra["token"])
		if !ok {
			return api.MissingParam("auth.token is missing")
		}
		if subtle.ConstantTimeCompare([]byte(token), []byte(a.Registration.Token)) != 1 {
			return api.Errorf(http.StatusUnauthorized, "M_FORBIDDEN", "That registration token is not valid")
		}
		return nil
	}
	return a.passwordStage(ctx, c, auth)
}

func (a *Accounts) passwordStage(ctx context.Context, c challenge, auth *clientapi.AuthData) *api.Error {
	password, ok := event.Text(auth.Extra["password"])
	if !ok {
		return api.MissingParam("auth.password is missing")
	}
	if raw, named := auth.Extra["identifier"]; named {
		user, err := a.identified(raw)
		if err != nil {
			return err
		}
		if user != c.user {
			return api.Forbidden("The password must be that of %s", c.user)
		}
	}
	_, err := a.verify(ctx, c.user, password)
	var refused *api.Error
	if err != nil && !errors.As(err, &refused) {
		return api.Errorf(http.StatusForbidden, "M_FORBIDDEN", "The password could not be checked")
	}
	return refused
}

// ask is the 401 that names the flows and what is completed so far.
func (c *challenge) ask(s *storage.UIAuthSession, refused *api.Error) *api.Error {
	e := &api.Error{Status: http.StatusUnauthorized, Extra: map[string]any{
		"flows":   []any{map[string]any{"stages": c.flow}},
		"params":  map[string]any{},
		"session": s.ID,
	}}
	if s.Completed != "" {
		e.Extra["completed"] = strings.Fields(s.Completed)
	}
	if refused != nil {
		e.ErrCode, e.Msg = refused.ErrCode, refused.Msg
	}
	return e
}

// refuse is ask after a stage has failed: the client may try again.
func (c *challenge) refuse(s *storage.UIAuthSession, refused *api.Error) *api.Error {
	if refused.Status == http.StatusBadRequest {
		return refused
	}
	return c.ask(s, refused)
}
