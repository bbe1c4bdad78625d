// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"touchstone.example/api"
	"touchstone.example/generated/ops"
)

const (
	// maxFailures is how many wrong secrets an address may send at once; each counts
	// for forgiveInterval.
	maxFailures     = 20
	forgiveInterval = 5 * time.Second
	// maxConcurrentGuesses is how many secrets from one address are checked at a time:
	// until a check ends it is not known to have failed.
	maxConcurrentGuesses = 100
	// maxAddresses bounds each of the two maps.
	maxAddresses = 16384
)

// failures counts wrong secrets by address. If there are too many addresses, those that
// were inactive longest are dropped.
type failures struct {
	now func() time.Time

	mu       sync.Mutex
	new, old map[netip.Prefix]*address
}

// An address is the recent guesses of one address.
type address struct {
	failed  int
	since   time.Time // start of the interval after which the next failure is forgiven
	guesses int       // under way
}

func (f *failures) admit(op *api.Operation, r *http.Request) (ended func(*api.Error), err error) {
	from := networkOf(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.get(from)
	now := f.now()
	a.forget(now)
	switch {
	case a.failed >= maxFailures:
		return nil, api.LimitExceeded(a.since.Add(time.Duration(a.failed-maxFailures+1) * forgiveInterval).Sub(now))
	case a.guesses >= maxConcurrentGuesses:
		return nil, api.LimitExceeded(time.Second)
	}
	a.guesses++
	return func(e *api.Error) { f.ended(from, a, isWrongSecret(op, e)) }, nil
}

func (f *failures) ended(from netip.Prefix, a *address, failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a.guesses--
	now := f.now()
	a.forget(now)
	if failed {
		if a.failed == 0 {
			a.since = now
		}
		a.failed++
	}
	if a.failed == 0 && a.guesses == 0 {
		for _, m := range []map[netip.Prefix]*address{f.new, f.old} {
			if m[from] == a {
				delete(m, from)
			}
		}
	}
}

// get returns the entry of an address, which it creates if needed.
func (f *failures) get(from netip.Prefix) *address {
	a := f.new[from]
	if a != nil {
		return a
	}
	if a = f.old[from]; a == nil {
		a = &address{}
	}
	if len(f.new) >= maxAddresses || f.new == nil {
		f.new, f.old = map[netip.Prefix]*address{}, f.new
	}
	f.new[from] = a
	return a
}

// forget lets time pass.
func (a *address) forget(now time.Time) {
	n := int(now.Sub(a.since) / forgiveInterval)
	if a.failed == 0 || n <= 0 {
		return
	}
	a.failed = max(0, a.failed-n)
	a.since = a.since.Add(time.Duration(n) * forgiveInterval)
}

// networkOf is the network whose failures count together: one IPv4 address, or the /64
// of one customer in IPv6.
func networkOf(r *http.Request) netip.Prefix {
	a, ok := api.AddressOf(r)
	if !ok {
		return netip.Prefix{}
	}
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // no error: the length is valid
	return p
}

// isWrongSecret reports whether an answer says that a secret was wrong. The first
// answer of user-interactive authentication, which lists the stages, has no errcode.
func isWrongSecret(op *api.Operation, e *api.Error) bool {
	if e == nil {
		return false
	}
	switch e.ErrCode {
	case "M_FORBIDDEN", "M_UNAUTHORIZED":
		return true
	case "M_UNKNOWN_TOKEN": // if the operation takes no access token
		return op.Auth == api.AuthNone
	case "M_UNKNOWN": // a nonce
		return op == &ops.ExtraRegisterWithSharedSecret
	}
	return false
}
