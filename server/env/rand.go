// SPDX-License-Identifier: Apache-2.0

package env

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
)

const (
	// exactCounters is how many (purpose, key) pairs get a counter of their
	// own. Later pairs share sharedCounters counters, chosen by hash.
	exactCounters  = 1 << 16
	sharedCounters = 1 << 12
	alphabet       = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// Rand returns random bytes for a purpose ("access token") and a key ("@a:b").
// The zero Rand is unpredictable. A seeded Rand derives each result from the
// seed, the purpose, the key and the number of earlier calls for that pair.
// Concurrent requests therefore do not change each other's results.
type Rand struct {
	seed []byte // nil: randomness of the operating system

	mu     sync.Mutex
	counts map[source]uint64
	shared []uint64
}

type source struct{ purpose, key string }

// Seeded returns a Rand whose results depend on the seed alone.
func Seeded(seed string) *Rand {
	r := &Rand{seed: append([]byte{}, seed...)}
	r.Reset()
	return r
}

// Reset sets a seeded Rand back to its start, for the reset of lab mode.
func (r *Rand) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts, r.shared = map[source]uint64{}, nil
}

// Clone returns a Rand that will give what r would have given, for a snapshot of
// a server.
func (r *Rand) Clone() *Rand {
	if r.seed == nil {
		return &Rand{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return &Rand{seed: r.seed, counts: maps.Clone(r.counts), shared: slices.Clone(r.shared)}
}

// Predictable reports whether results depend on a seed.
func (r *Rand) Predictable() bool { return r.seed != nil }

// Bytes returns n random bytes.
func (r *Rand) Bytes(purpose, key string, n int) []byte {
	b := make([]byte, n)
	r.stream(purpose, key).fill(b)
	return b
}

// Token returns n random letters and digits, each worth 5.95 bits of entropy.
func (r *Rand) Token(purpose, key string, n int) string {
	const limit = 256 / len(alphabet) * len(alphabet) // larger bytes would make the modulus biased
	d := r.stream(purpose, key)
	out := make([]byte, 0, n)
	var buf [32]byte
	for len(out) < n {
		d.fill(buf[:])
		for _, b := range buf {
			if int(b) < limit && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}

// Below returns a random number in [0, n), for jitter. It panics unless n is
// positive.
func (r *Rand) Below(purpose, key string, n int64) int64 {
	if n <= 0 {
		panic("env: Below needs a positive bound")
	}
	// The bias of a 64-bit number reduced modulo a duration is below 2^-20.
	var b [8]byte
	r.stream(purpose, key).fill(b[:])
	return int64(binary.BigEndian.Uint64(b[:]) % uint64(n))
}

// A byteStream is the stream of random bytes for one result.
type byteStream struct {
	seed    []byte
	purpose string
	key     string
	count   uint64
	block   uint64
}

func (r *Rand) stream(purpose, key string) *byteStream {
	if r.seed == nil {
		return &byteStream{}
	}
	return &byteStream{seed: r.seed, purpose: purpose, key: key, count: r.next(purpose, key)}
}

// next returns a counter value that this pair has not had before. Pairs that
// share a counter may skip values.
func (r *Rand) next(purpose, key string) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := source{purpose, key}
	n, known := r.counts[s]
	if known || len(r.counts) < exactCounters {
		r.counts[s] = n + 1
		return n
	}
	if r.shared == nil {
		r.shared = make([]uint64, sharedCounters)
	}
	h := fnv.New64a()
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write([]byte(key))
	i := h.Sum64() % sharedCounters
	n = r.shared[i]
	r.shared[i]++
	return n
}

func (d *byteStream) fill(b []byte) {
	if d.seed == nil {
		rand.Read(b) // never fails: it crashes the program instead
		return
	}
	for len(b) > 0 {
		mac := hmac.New(sha256.New, d.seed)
		var head [24]byte
		binary.BigEndian.PutUint64(head[0:], uint64(len(d.purpose)))
		binary.BigEndian.PutUint64(head[8:], d.count)
		binary.BigEndian.PutUint64(head[16:], d.block)
		mac.Write(head[:])
		mac.Write([]byte(d.purpose))
		mac.Write([]byte(d.key))
		b = b[copy(b, mac.Sum(nil)):]
		d.block++
	}
}
