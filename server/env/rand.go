// SPDX-License-Identifier: Apache-2.0

package env

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash/fnv"
	"sync"
)

const (
	// exactCounters is how many (purpose, key) pairs have a counter of their
	// own; pairs first seen later share sharedCounters by hash.
	exactCounters  = 1 << 16
	sharedCounters = 1 << 12
	alphabet       = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// Rand gives random bytes for a purpose ("access token") and a key ("@a:b").
// The zero Rand is unpredictable. A seeded one derives each answer from the
// seed, the purpose, the key and how often that pair was asked before, so that
// what one request draws does not depend on what others draw meanwhile.
type Rand struct {
	seed []byte // nil: the operating system's chance

	mu     sync.Mutex
	counts map[source]uint64
	shared []uint64
}

type source struct{ purpose, key string }

// Seeded returns a Rand whose every answer follows from the seed.
func Seeded(seed string) *Rand {
	r := &Rand{seed: append([]byte{}, seed...)}
	r.Reset()
	return r
}

// Reset makes a seeded Rand begin anew, as lab mode does when it is reset.
func (r *Rand) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts, r.shared = map[source]uint64{}, nil
}

// Predictable reports whether the answers follow from a seed.
func (r *Rand) Predictable() bool { return r.seed != nil }

// Bytes returns n random bytes.
func (r *Rand) Bytes(purpose, key string, n int) []byte {
	b := make([]byte, n)
	r.draw(purpose, key).fill(b)
	return b
}

// Token returns n random letters and digits, each worth 5.95 bits.
func (r *Rand) Token(purpose, key string, n int) string {
	const limit = 256 / len(alphabet) * len(alphabet) // above it, a modulus would be biased
	d := r.draw(purpose, key)
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
	r.draw(purpose, key).fill(b[:])
	return int64(binary.BigEndian.Uint64(b[:]) % uint64(n))
}

// A drawing is the stream of bytes behind one answer.
type drawing struct {
	seed    []byte
	purpose string
	key     string
	count   uint64
	block   uint64
}

func (r *Rand) draw(purpose, key string) *drawing {
	if r.seed == nil {
		return &drawing{}
	}
	return &drawing{seed: r.seed, purpose: purpose, key: key, count: r.next(purpose, key)}
}

// next returns a number that this pair never got before. Past exactCounters
// pairs, a number may also be skipped because another pair took it.
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

func (d *drawing) fill(b []byte) {
	if d.seed == nil {
		rand.Read(b) // never fails: it aborts the program instead
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
