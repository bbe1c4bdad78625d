// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/ops"
)

// TestEveryOperationHasABound: a body is as large as its operation can use. Who
// raises a limit past a megabyte says here why.
func TestEveryOperationHasABound(t *testing.T) {
	reasons := map[*api.Operation]string{
		&ops.ClientSendToDevice:        "clients encrypt for many devices at once",
		&ops.ClientPutRoomKeys:         "clients choose how many sessions they back up at once",
		&ops.ClientPutRoomKeysByRoomID: "clients choose how many sessions they back up at once",
		&ops.FedSendTransaction:        "50 PDUs and 100 EDUs",
		&ops.ASSendTransaction:         "as many events as the homeserver has",
	}
	l := New(Options{})
	for _, op := range ops.All {
		n := l.Body(op)
		require.GreaterOrEqual(t, n, int64(bodyDefault), op.ID)
		require.LessOrEqual(t, n, int64(bodyTransaction), op.ID)
		if n > bodyList {
			require.NotEmpty(t, reasons[op], "%s takes %d bytes: why?", op.ID, n)
		}
		if op.Auth == api.AuthNone {
			require.LessOrEqual(t, n, int64(bodyList), "%s is open to everybody", op.ID)
		}
	}
	for _, table := range []map[*api.Operation]bool{pageOperations, fullStateOperations, secretOperations} {
		for op := range table {
			require.True(t, slices.Contains(ops.All, op))
		}
	}
	for op := range bodies {
		require.NotEqual(t, "GET", op.Method, "%s has no body", op.ID)
	}
}

// TestTurns: a caller has a few turns at a time, and does not take those of
// others.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		page := &ops.ClientGetRoomEvents
		var ends []func()
		for range maxPages {
			done, err := l.Turn(t.Context(), page, "@alice:hs1")
			require.NoError(t, err)
			ends = append(ends, done)
		}
		_, err := l.Turn(t.Context(), page, "@bob:hs1")
		require.NoError(t, err)
		_, err = l.Turn(t.Context(), &ops.ClientGetRoomState, "@alice:hs1")
		require.NoError(t, err, "another kind")
		done, err := l.Turn(t.Context(), &ops.ClientSendMessage, "@alice:hs1")
		require.NoError(t, err)
		require.Nil(t, done, "the answer is small")

		start := time.Now()
		_, err = l.Turn(t.Context(), page, "@alice:hs1")
		require.Equal(t, turnTimeout, time.Since(start))
		var e *api.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "M_LIMIT_EXCEEDED", e.ErrCode)
		require.Equal(t, "1", e.Header["Retry-After"])

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = l.Turn(ctx, page, "@alice:hs1")
		require.ErrorIs(t, err, context.DeadlineExceeded)

		got := make(chan error, 1)
		go func() {
			_, err := l.Turn(t.Context(), page, "@alice:hs1")
			got <- err
		}()
		synctest.Wait()
		require.Empty(t, got)
		ends[0]()
		require.NoError(t, <-got)
	})
}

// TestTurnsAreForgotten: who has none costs nothing.
func TestTurnsAreForgotten(t *testing.T) {
	q := turns{atOnce: 1}
	for i := range 100 {
		done, err := q.take(t.Context(), fmt.Sprint(i))
		require.NoError(t, err)
		done()
	}
	require.Empty(t, q.queue)
}

// TestHeldBytes: the first may be of any size, and what follows must fit.
func TestHeldBytes(t *testing.T) {
	l := New(Options{})
	first, ok := l.Hold("@alice:hs1", 10*maxHeld)
	require.True(t, ok)
	_, ok = l.Hold("@alice:hs1", 1)
	require.False(t, ok)
	_, ok = l.Hold("@bob:hs1", maxHeld)
	require.True(t, ok)
	first()
	require.Len(t, l.held.bytes, 1)
	_, ok = l.Hold("@alice:hs1", maxHeld/2)
	require.True(t, ok)
	_, ok = l.Hold("@alice:hs1", maxHeld/2)
	require.True(t, ok)
	_, ok = l.Hold("@alice:hs1", 1)
	require.False(t, ok)
}

// guesser makes requests with secrets.
type guesser struct {
	t   *testing.T
	l   *Limits
	now time.Time
}

func newGuesser(t *testing.T) *guesser {
	g := &guesser{t: t, now: time.Unix(1e9, 0)}
	g.l = New(Options{Failures: true, Now: func() time.Time { return g.now }})
	return g
}

func (g *guesser) begin(op *api.Operation, address string) (func(*api.Error), *api.Error) {
	g.t.Helper()
	r := httptest.NewRequest(op.Method, "/", nil)
	r.RemoteAddr = address
	ended, err := g.l.Admit(op, r)
	if err == nil {
		return ended, nil
	}
	var e *api.Error
	require.ErrorAs(g.t, err, &e)
	require.Equal(g.t, http.StatusTooManyRequests, e.Status)
	return nil, e
}

// guess returns the refusal of a guess that ends so.
func (g *guesser) guess(op *api.Operation, address string, how *api.Error) *api.Error {
	g.t.Helper()
	ended, refused := g.begin(op, address)
	if ended != nil {
		ended(how)
	}
	return refused
}

// TestWrongSecretsOfAnAddress: after some an address must wait, and only that
// one.
func TestWrongSecretsOfAnAddress(t *testing.T) {
	g := newGuesser(t)
	const here, next, away = "192.0.2.1:5", "192.0.2.2:5", "[2001:db8::1]:5"
	login, no := &ops.ClientLogin, api.Forbidden("no")
	for range maxFailures {
		require.Nil(t, g.guess(login, here, no))
	}
	e := g.guess(login, here, no)
	require.NotNil(t, e)
	require.Equal(t, forgiveInterval.Milliseconds(), e.Extra["retry_after_ms"])
	require.Equal(t, "5", e.Header["Retry-After"])
	require.NotNil(t, g.guess(&ops.ClientRegister, here, no), "one secret or another")
	require.Nil(t, g.guess(login, next, no))
	require.Nil(t, g.guess(&ops.ClientGetLoginFlows, here, no), "no secret is asked for")

	g.now = g.now.Add(forgiveInterval)
	require.Nil(t, g.guess(login, here, no), "one is forgotten")
	require.NotNil(t, g.guess(login, here, no))
	g.now = g.now.Add(maxFailures * forgiveInterval)
	for range maxFailures {
		require.Nil(t, g.guess(login, here, no), "all are")
	}
	require.NotNil(t, g.guess(login, here, no))

	for i := range maxFailures {
		require.Nil(t, g.guess(login, fmt.Sprintf("[2001:db8::%d]:5", i+2), no))
	}
	require.NotNil(t, g.guess(login, away, no), "one customer has a network of IPv6")
}

// TestWhatIsNoFailure: only a wrong secret counts.
func TestWhatIsNoFailure(t *testing.T) {
	g := newGuesser(t)
	for range 2 * maxFailures {
		for _, how := range []*api.Error{nil, {Status: 401}, api.BadJSON("no"), api.UserInUse("no"), api.LimitExceeded(1), api.Unknown("no")} {
			require.Nil(t, g.guess(&ops.ClientLogin, "192.0.2.1:5", how))
		}
		require.Nil(t, g.guess(&ops.ClientDeleteDevices, "192.0.2.1:5", api.UnknownToken(false)), "an access token is no secret that somebody guesses")
	}
	for _, c := range []struct {
		op  *api.Operation
		how *api.Error
	}{
		{&ops.ClientRefresh, api.UnknownToken(false)},
		{&ops.ExtraRegisterWithSharedSecret, api.Unknown("the nonce is unknown")},
		{&ops.ClientDeleteDevices, &api.Error{Status: 401, ErrCode: "M_FORBIDDEN"}},
	} {
		g := newGuesser(t)
		for range maxFailures {
			require.Nil(t, g.guess(c.op, "192.0.2.1:5", c.how))
		}
		require.NotNil(t, g.guess(c.op, "192.0.2.1:5", c.how), c.op.ID)
	}
}

// TestGuessesAtOnce: guesses that nobody has looked at yet are not endless.
func TestGuessesAtOnce(t *testing.T) {
	g := newGuesser(t)
	var ends []func(*api.Error)
	for range maxConcurrentGuesses {
		ended, refused := g.begin(&ops.ClientLogin, "192.0.2.1:5")
		require.Nil(t, refused)
		ends = append(ends, ended)
	}
	require.NotNil(t, g.guess(&ops.ClientLogin, "192.0.2.1:5", nil))
	for _, ended := range ends {
		ended(api.Forbidden("no"))
	}
	e := g.guess(&ops.ClientLogin, "192.0.2.1:5", nil)
	require.Equal(t, (maxConcurrentGuesses-maxFailures+1)*forgiveInterval.Milliseconds(), e.Extra["retry_after_ms"])
}

// TestAddressesAreBounded: many addresses are forgotten again, and those that
// ended well are at once.
func TestAddressesAreBounded(t *testing.T) {
	g := newGuesser(t)
	address := func(i int) string { return fmt.Sprintf("10.%d.%d.%d:5", i>>16&255, i>>8&255, i&255) }
	for i := range 3 * maxAddresses {
		require.Nil(t, g.guess(&ops.ClientLogin, address(i), nil))
	}
	f := g.l.failures
	require.Empty(t, f.new)
	for i := range 3 * maxAddresses {
		require.Nil(t, g.guess(&ops.ClientLogin, address(i), api.Forbidden("no")))
		require.LessOrEqual(t, len(f.new)+len(f.old), 2*maxAddresses)
	}
}

// TestWithoutTheSetting: nobody waits where the settings say so.
func TestWithoutTheSetting(t *testing.T) {
	l := New(Options{})
	r := httptest.NewRequest("POST", "/", nil)
	ended, err := l.Admit(&ops.ClientLogin, r)
	require.NoError(t, err)
	require.Nil(t, ended)
}
