// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync"

	"touchstone.example/api"
)

// Rules about more than one request, for which requests are remembered.
const (
	TransactionReused = "transaction-reused"
	SyncTokenBack     = "sync-token-back"
	FilterRepeated    = "filter-repeated"
)

// remembered bounds how many transactions, and how many devices, are remembered.
// What is forgotten is not found: these rules advise and decide nothing.
const remembered = 10_000

// sinces is how many sync tokens of a device are remembered, inlineFilters how
// often it may send one filter whole.
const sinces, inlineFilters = 32, 3

// memory is what requests are compared with.
type memory struct {
	seed    maphash.Seed
	mu      sync.Mutex
	txns    recent[txn, uint64]
	devices recent[[2]string, *deviceMemory]
}

type txn struct{ user, device, path string }

type deviceMemory struct {
	since  []string // newest last
	filter uint64
	times  int
}

// recent is a map that forgets its oldest entries.
type recent[K comparable, V any] struct {
	values map[K]V
	order  []K
	next   int
}

func (r *recent[K, V]) put(k K, v V) {
	if r.values == nil {
		r.values = map[K]V{}
	}
	if _, ok := r.values[k]; !ok {
		if len(r.order) < remembered {
			r.order = append(r.order, k)
		} else {
			delete(r.values, r.order[r.next])
			r.order[r.next] = k
			r.next = (r.next + 1) % remembered
		}
	}
	r.values[k] = v
}

// call returns what a request breaks that only its parameters or others before it
// show.
func (j *Judge) call(x *api.Exchange) []Violation {
	out := j.prose.parameters(x)
	if x.Op.Deprecated {
		out = append(out, Violation{Rule: api.RuleDeprecated, Where: api.InRequest(), Expected: "an operation that is not deprecated", Found: x.Op.Method + " " + x.Op.Path})
	}
	out = append(out, j.unknownParameters(x)...)
	who := x.Sender()
	if who.User == "" {
		return out
	}
	if x.Params.Named("txnId") != "" && j.Setting(TransactionReused) != Off {
		out = append(out, j.transaction(x, txn{who.User, who.Device, x.R.URL.EscapedPath()})...)
	}
	if x.Op.Name() == "clientapi.sync" {
		out = append(out, j.syncs(x, who)...)
	}
	return out
}

// asserted are the query parameters that any operation takes: the token, and whom
// an application service stands for.
//
// Spec: application-service "Identity assertion".
var asserted = []string{"access_token", "user_id", "device_id"}

// unknownParameters finds query parameters that the operation does not have.
func (j *Judge) unknownParameters(x *api.Exchange) (out []Violation) {
	if x.R.URL.RawQuery == "" || j.Setting(api.RuleParameterUnknown) == Off {
		return nil
	}
	_, o, err := j.lib.operation(x.Op)
	if err != nil || o.query == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(x.R.URL.Query())) {
		if !o.query[name] && !slices.Contains(asserted, name) {
			out = append(out, Violation{
				Rule: api.RuleParameterUnknown, Where: api.InQuery(name), Expected: "no parameter that is not described", Found: "one that is ignored",
			})
		}
	}
	return out
}

// Forget forgets the requests so far: a server with another history is another one,
// and hands out the same tokens again.
func (j *Judge) Forget() {
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	j.memory.txns, j.memory.devices = recent[txn, uint64]{}, recent[[2]string, *deviceMemory]{}
}

// transaction finds a transaction ID that stood for another request.
//
// Spec: client-server "Transaction identifiers".
func (j *Judge) transaction(x *api.Exchange, key txn) []Violation {
	body, err := x.RawBody()
	if err != nil {
		return nil
	}
	sum := maphash.Bytes(j.memory.seed, body)
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	before, known := j.memory.txns.values[key]
	j.memory.txns.put(key, sum)
	if !known || before == sum {
		return nil
	}
	return []Violation{{
		Rule: TransactionReused, Where: api.InPath("txnId"), Expected: "a transaction ID that no other request has had", Found: "that of a different request",
		Hint: "the server answers as it did the first time, and does nothing",
	}}
}

// syncs compares a sync with those before it of the same device.
//
// Spec: client-server "Syncing"; "Filtering".
func (j *Judge) syncs(x *api.Exchange, who Sender) (out []Violation) {
	query := x.R.URL.Query()
	since, filter := query.Get("since"), query.Get("filter")
	key := [2]string{who.User, who.Device}
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	d := j.memory.devices.values[key]
	if d == nil {
		d = &deviceMemory{}
		j.memory.devices.put(key, d)
	}
	if i := slices.Index(d.since, since); since != "" && i >= 0 && i < len(d.since)-1 {
		out = append(out, Violation{
			Rule: SyncTokenBack, Where: api.InQuery("since"), Expected: "the token of the newest answer, or the last one again", Found: "a token from before the last one",
			Hint: "a client that syncs twice at once, or that has lost what it was told, starts again without a token",
		})
		d.since = d.since[:i]
	}
	if since != "" && (len(d.since) == 0 || d.since[len(d.since)-1] != since) {
		d.since = append(d.since, since)
		d.since = d.since[max(0, len(d.since)-sinces):]
	}
	if !strings.HasPrefix(filter, "{") {
		return out
	}
	if sum := maphash.String(j.memory.seed, filter); sum != d.filter {
		d.filter, d.times = sum, 0
	}
	if d.times++; d.times == inlineFilters {
		out = append(out, Violation{
			Rule: FilterRepeated, Where: api.InQuery("filter"), Expected: "the ID of a filter that was uploaded", Found: "the same filter for the third time",
		})
	}
	return out
}
