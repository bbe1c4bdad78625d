// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

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

// sessionLife is how long a session can be continued, in milliseconds.
const sessionLife = 15 * 60 * 1000

// A challenge is what an operation requires: the stages of its one flow, in order. A
// session that completes it is valid only for the same operation of the same user.
type challenge struct {
	operation string      // with the values it is about
	user      id.UserID   // whose password; empty at registration
	device    id.DeviceID // that asks
	flow      []string
}

// digest is a hash of the operation and values for which a session is valid.
func digest(values ...string) string {
	b, err := json.Marshal(values)
	if err != nil {
		panic("accounts: strings do not encode: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// A session is a client's progress with a challenge. Its ID permits continuing it, so
// the database stores only a hash of the ID.
type session struct {
	storage.UIAuthSession
	id       string // the ID that the client has
	stored   bool
	remember []byte // request parameters, for a later request without them
}

// Limits of unfinished sessions, so that unauthenticated requests cannot fill
// the database. Beyond a limit the oldest sessions are deleted.
const (
	maxAnonymousSessions = 10_000
	maxSessionsOfUser    = 100
	// trimInterval is how many sessions without a user may be begun before the oldest
	// are deleted, which reads all that stay.
	trimInterval = 64
)

// isCurrent reports whether something made at a time is still valid: neither too old
// nor in the future, which would be from a clock that was ahead.
func isCurrent(now, then, life int64) bool { return then-life <= now && now <= then+life }

func (s *session) completed() []string { return strings.Fields(s.Completed) }

// next is the stage that comes next, or empty.
func (s *session) next(c challenge) string {
	for _, stage := range c.flow {
		if !slices.Contains(s.completed(), stage) {
			return stage
		}
	}
	return ""
}

// authenticate goes through user-interactive authentication: it returns once every
// stage is completed, and else with the answer that asks for the next one. The
// parameters of the operation are those of the request that completes it.
//
// Spec: client-server "User-Interactive Authentication API".
func (a *Accounts) authenticate(ctx context.Context, c challenge, auth *clientapi.AuthData) (*session, error) {
	s, err := a.resumeSession(ctx, c, auth)
	if err != nil {
		return nil, err
	}
	return s, a.completeStages(ctx, c, s, auth)
}

// completeStages is interact with a session that was found or begun by resume.
func (a *Accounts) completeStages(ctx context.Context, c challenge, s *session, auth *clientapi.AuthData) error {
	if auth == nil || !auth.Type.Set && !auth.Session.Set {
		return a.askForStages(ctx, c, s, nil)
	}
	if auth.Session.Set && !s.stored {
		return a.askForStages(ctx, c, s, api.Forbidden("The session is unknown, over or of another request; here is a new one"))
	}
	// A stage that is completed cannot be tried again.
	if auth.Type.Set && !slices.Contains(s.completed(), auth.Type.Value) {
		if auth.Type.Value != s.next(c) {
			return a.askForStages(ctx, c, s, api.Forbidden("%q is not the stage that comes next", auth.Type.Value))
		}
		if again, err := a.stage(ctx, c, s, auth); err != nil {
			return err
		} else if again != nil {
			return a.askForStages(ctx, c, s, again)
		}
		s.Completed = strings.Join(append(s.completed(), auth.Type.Value), " ")
	}
	if s.next(c) != "" {
		return a.askForStages(ctx, c, s, nil)
	}
	if !s.stored {
		return nil // completed in one request: there is nothing to go on with
	}
	return a.storeSession(ctx, s)
}

// resumeSession finds the session that a request goes on with. Where the request names
// none, or one that is not good for it, the session is a new one.
func (a *Accounts) resumeSession(ctx context.Context, c challenge, auth *clientapi.AuthData) (*session, error) {
	fresh := &session{UIAuthSession: storage.UIAuthSession{Operation: c.operation, UserID: c.user}}
	if auth == nil || !auth.Session.Set {
		return fresh, nil
	}
	var row *storage.UIAuthSession
	err := a.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		row, err = tx.UIAuthSession(ctx, hashOf(auth.Session.Value))
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return fresh, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find authentication session: %w", err)
	}
	if row.Operation != c.operation || row.UserID != c.user || !isCurrent(a.Env.NowTS(), row.CreatedAt, sessionLife) {
		return fresh, nil
	}
	return &session{UIAuthSession: *row, id: auth.Session.Value, stored: true}, nil
}

// storeSession stores a session's progress. Stages that another request has completed
// meanwhile stay completed.
func (a *Accounts) storeSession(ctx context.Context, s *session) error {
	if !s.stored {
		return a.beginSession(ctx, s)
	}
	err := a.DB.Write(ctx, func(tx *storage.Writer) error {
		row, err := tx.LockUIAuthSession(ctx, s.ID)
		if err != nil {
			return err
		}
		for _, stage := range s.completed() {
			if done := strings.Fields(row.Completed); !slices.Contains(done, stage) {
				row.Completed = strings.Join(append(done, stage), " ")
			}
		}
		if s.remember != nil {
			row.Request = a.seal(s.id, s.remember)
		}
		s.UIAuthSession = *row
		return tx.PutUIAuthSession(ctx, row)
	})
	if errors.Is(err, storage.ErrNotFound) {
		return a.beginSession(ctx, s) // thrown away meanwhile
	}
	if err != nil {
		return fmt.Errorf("store authentication session: %w", err)
	}
	return nil
}

// beginSession stores a new session, and deletes expired ones.
func (a *Accounts) beginSession(ctx context.Context, s *session) error {
	s.CreatedAt = a.Env.NowTS()
	most, trim := maxSessionsOfUser, true
	if s.UserID == "" {
		most, trim = maxAnonymousSessions, a.begun.Add(1)%trimInterval == 0
	}
	err := retryIfTaken(func() error {
		s.id = a.Env.Rand.Token("ui auth session", s.Operation, 24)
		s.ID = hashOf(s.id)
		if s.remember != nil {
			s.Request = a.seal(s.id, s.remember)
		}
		return a.DB.Write(ctx, func(tx *storage.Writer) error {
			if _, err := tx.DeleteUIAuthSessions(ctx, s.CreatedAt-sessionLife, s.CreatedAt+sessionLife); err != nil {
				return err
			}
			if trim {
				if err := tx.TrimUIAuthSessions(ctx, s.UserID, most-1); err != nil {
					return err
				}
			}
			return tx.InsertUIAuthSession(ctx, &s.UIAuthSession)
		})
	})
	if err != nil {
		return fmt.Errorf("begin authentication session: %w", err)
	}
	s.stored = true
	return nil
}

// sealer encrypts a session's parameters, which may contain a password, with the
// session ID as key: the database alone does not reveal them.
func sealer(sessionID string) cipher.AEAD {
	key, err := hkdf.Key(sha256.New, []byte(sessionID), nil, "touchstone ui auth request", 32)
	if err != nil {
		panic("accounts: hkdf: " + err.Error())
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("accounts: aes: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("accounts: gcm: " + err.Error())
	}
	return aead
}

func (a *Accounts) seal(sessionID string, plain []byte) []byte {
	aead := sealer(sessionID)
	nonce := a.Env.Rand.Bytes("ui auth request", sessionID, aead.NonceSize())
	return aead.Seal(nonce, nonce, plain, nil)
}

// remembered returns a session's stored parameters, nil for none.
func (s *session) remembered() ([]byte, error) {
	if len(s.Request) == 0 {
		return nil, nil
	}
	aead := sealer(s.id)
	n := min(aead.NonceSize(), len(s.Request))
	plain, err := aead.Open(nil, s.Request[:n], s.Request[n:], nil)
	if err != nil {
		return nil, fmt.Errorf("parameters of an authentication session: %w", err)
	}
	return plain, nil
}

// errSessionUsed says that a session was used already.
var errSessionUsed = errors.New("the session has been used")

// recordResult stores the result of a session, which can have only one. It is part of
// the transaction that does the operation, so that it is done once.
func (s *session) recordResult(ctx context.Context, tx *storage.Writer, result string) error {
	if s == nil || !s.stored {
		return nil
	}
	row, err := tx.LockUIAuthSession(ctx, s.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return api.Forbidden("The session is over")
	}
	if err != nil {
		return err
	}
	s.UIAuthSession = *row
	if row.Result != "" {
		return errSessionUsed
	}
	row.Result = result
	return tx.PutUIAuthSession(ctx, row)
}

// stage checks a client's data for one stage. again says why it failed, if the client
// may try again.
func (a *Accounts) stage(ctx context.Context, c challenge, s *session, auth *clientapi.AuthData) (again *api.Error, err error) {
	switch auth.Type.Value {
	case stageToken:
		token, ok := event.Text(auth.Extra["token"])
		if !ok {
			return nil, api.BadJSON("auth.token is missing or no string")
		}
		right := subtle.ConstantTimeCompare([]byte(token), []byte(a.Registration.Token)) == 1
		if err := a.recordAttempt(ctx, right, tokenFailureLimits(s)...); err != nil {
			return nil, err
		}
		if !right {
			return api.Forbidden("That registration token is not valid"), nil
		}
	case stagePassword:
		return a.passwordStage(ctx, c, auth)
	}
	return nil, nil // stageDummy: "always succeeds"
}

// passwordStage checks the caller's password. The password of another user is refused
// without counting as a guess.
//
// Spec: client-server "Password-based".
func (a *Accounts) passwordStage(ctx context.Context, c challenge, auth *clientapi.AuthData) (again *api.Error, err error) {
	password, ok := event.Text(auth.Extra["password"])
	if !ok {
		return nil, api.BadJSON("auth.password is missing or no string")
	}
	user, err := a.identifierOf(auth)
	if err != nil {
		return nil, err
	}
	if user != c.user {
		return nil, api.Forbidden("The password must be that of %s", c.user)
	}
	_, err = a.verify(ctx, user, password, passwordFailureLimits("device "+string(user)+" "+string(c.device)))
	var refused *api.Error
	if errors.As(err, &refused) && refused.Status != http.StatusTooManyRequests {
		return refused, nil
	}
	return nil, err
}

// askForStages returns the 401 with the flows, the completed stages, and the reason of
// a failed attempt.
//
// Spec: client-server "User-interactive API in the REST API".
func (a *Accounts) askForStages(ctx context.Context, c challenge, s *session, refused *api.Error) error {
	if err := a.storeSession(ctx, s); err != nil {
		return err
	}
	e := &api.Error{Status: http.StatusUnauthorized, Extra: map[string]any{
		"flows":   []any{map[string]any{"stages": c.flow}},
		"params":  map[string]any{},
		"session": s.id,
	}}
	if done := s.completed(); len(done) > 0 {
		e.Extra["completed"] = done
	}
	if refused != nil {
		e.ErrCode, e.Msg = refused.ErrCode, refused.Msg
	}
	return e
}
