// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"touchstone.example/api"
	"touchstone.example/server/config"
)

// A hasher makes and checks argon2id hashes, a few at a time, so that many logins leave
// processors and memory for users who are logged in.
type hasher struct {
	cost      config.Passwords
	slots     chan struct{}
	waiting   chan struct{} // holds one value for each caller with a slot or waiting for one; nil: no limit
	dummyHash string        // checked for unknown users, at the cost of a real hash
	derive    func(password, salt []byte, passes, memory uint32, threads uint8, keyLen uint32) []byte
}

const (
	saltBytes = 16
	hashBytes = 32
	// maxPassword bounds what is hashed. The specification names no limit.
	maxPassword = 4096
	// queued is how many may wait for each slot: a few seconds' work. Further requests
	// are answered with an error and a time to retry.
	queued = 64
)

func newHasher(cost config.Passwords, limited bool) *hasher {
	n := cost.Concurrency
	if n == 0 {
		n = max(1, runtime.GOMAXPROCS(0)/2) // the other half is for users who are logged in
	}
	h := &hasher{cost: cost, slots: make(chan struct{}, n), derive: argon2.IDKey}
	if limited {
		h.waiting = make(chan struct{}, n*(1+queued))
	}
	h.dummyHash = h.withKey(make([]byte, saltBytes), make([]byte, hashBytes)).String()
	return h
}

// withKey returns a hash with the current cost.
func (h *hasher) withKey(salt, key []byte) *PasswordHash {
	return &PasswordHash{
		MemoryKiB: uint32(h.cost.MemoryKiB), Passes: uint32(h.cost.Passes), Threads: uint8(h.cost.Threads),
		Salt: salt, Key: key,
	}
}

// acquire waits for a slot. Its holder may compute hashes until it is released.
func (h *hasher) acquire(ctx context.Context) (release func(), err error) {
	if h.waiting != nil {
		select {
		case h.waiting <- struct{}{}:
		default:
			return nil, api.LimitExceeded(time.Second)
		}
	}
	leave := func() {
		if h.waiting != nil {
			<-h.waiting
		}
	}
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
	return func() { <-h.slots; leave() }, nil
}

// key computes a password's key with the parameters of a hash. The caller has a slot.
func (h *hasher) key(p *PasswordHash, password string) []byte {
	return h.derive([]byte(password), p.Salt, p.Passes, p.MemoryKiB, p.Threads, uint32(len(p.Key)))
}

// hash returns the hash of a password with its parameters, so that they can be
// changed while old hashes stay good.
func (h *hasher) hash(ctx context.Context, password string, salt []byte) (string, error) {
	release, err := h.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	p := h.withKey(salt, make([]byte, hashBytes))
	p.Key = h.key(p, password)
	return p.String(), nil
}

// check reports whether a password is the one that was hashed. The caller has a
// slot.
func (h *hasher) check(stored, password string) (bool, error) {
	if len(password) > maxPassword {
		return false, nil
	}
	p, err := ParsePasswordHash(stored)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(h.key(p, password), p.Key) == 1, nil
}

// checkNewPassword refuses invalid passwords. Judging their strength is left to
// clients.
//
// Spec: client-server "Password management", M_WEAK_PASSWORD.
func checkNewPassword(password string) error {
	switch {
	case password == "":
		return api.Errorf(http.StatusBadRequest, "M_WEAK_PASSWORD", "The password is empty")
	case len(password) > maxPassword:
		return api.TooLarge("A password has at most %d bytes", maxPassword)
	}
	return nil
}

// A PasswordHash is an argon2id hash with its parameters. Its text is the PHC
// form: $argon2id$v=19$m=19456,t=2,p=1$salt$key.
type PasswordHash struct {
	MemoryKiB, Passes uint32
	Threads           uint8
	Salt, Key         []byte
}

// String writes the PHC form.
func (p *PasswordHash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.MemoryKiB, p.Passes, p.Threads,
		b64.EncodeToString(p.Salt), b64.EncodeToString(p.Key))
}

// Bounds of stored parameters, so that no row of the database can exhaust the server:
// at most 4 GiB, and keys that are long enough.
const (
	maxMemoryKiB = 4 << 20
	minKey       = 16
	maxKey       = 1 << 10
)

var errHash = errors.New("accounts: the stored password hash is not one of argon2id that this program writes")

// ParsePasswordHash reads the form that String writes, and no other.
func ParsePasswordHash(s string) (*PasswordHash, error) {
	p := &PasswordHash{}
	rest, ok := strings.CutPrefix(s, fmt.Sprintf("$argon2id$v=%d$", argon2.Version))
	parts := strings.Split(rest, "$")
	if !ok || len(parts) != 3 {
		return nil, errHash
	}
	if _, err := fmt.Sscanf(parts[0], "m=%d,t=%d,p=%d", &p.MemoryKiB, &p.Passes, &p.Threads); err != nil {
		return nil, errHash
	}
	var err error
	if p.Salt, err = base64.RawStdEncoding.DecodeString(parts[1]); err != nil {
		return nil, errHash
	}
	if p.Key, err = base64.RawStdEncoding.DecodeString(parts[2]); err != nil {
		return nil, errHash
	}
	sound := p.MemoryKiB <= maxMemoryKiB && p.Passes >= 1 && p.Threads >= 1 &&
		len(p.Key) >= minKey && len(p.Key) <= maxKey
	if !sound || p.String() != s {
		return nil, errHash
	}
	return p, nil
}
