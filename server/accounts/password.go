// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"

	"touchstone.example/api"
	"touchstone.example/server/config"
)

// A hasher makes and checks argon2id hashes, a few at a time, so that a crowd
// at the door cannot starve those inside of processors and memory.
type hasher struct {
	cost   config.Passwords
	slots  chan struct{}
	absent string // a hash of nobody's, as dear to check as others
}

const (
	saltBytes = 16
	hashBytes = 32
	// maxPassword bounds what is hashed. The specification names no limit.
	maxPassword = 4096
)

func newHasher(cost config.Passwords) hasher {
	n := cost.Concurrency
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	h := hasher{cost: cost, slots: make(chan struct{}, n)}
	h.absent = h.encode(make([]byte, saltBytes), make([]byte, hashBytes))
	return h
}

// encode is the PHC form of a hash, which carries its parameters.
func (h *hasher) encode(salt, key []byte) string {
	c, b64 := h.cost, base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.MemoryKiB, c.Passes, c.Threads,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

// do runs fn in one of the slots.
func (h *hasher) do(ctx context.Context, fn func()) error {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.slots }()
	fn()
	return nil
}

// hash returns the hash of a password with its parameters, so that they can be
// changed while old hashes stay good.
func (h *hasher) hash(ctx context.Context, password string, salt []byte) (out string, err error) {
	if len(password) > maxPassword {
		return "", api.InvalidParam("The password is longer than %d bytes", maxPassword)
	}
	err = h.do(ctx, func() {
		c := h.cost
		key := argon2.IDKey([]byte(password), salt, uint32(c.Passes), uint32(c.MemoryKiB), uint8(c.Threads), hashBytes)
		out = h.encode(salt, key)
	})
	return out, err
}

// check reports whether a password is the one that was hashed.
func (h *hasher) check(ctx context.Context, stored, password string) (ok bool, err error) {
	if len(password) > maxPassword {
		return false, nil
	}
	p, err := parseHash(stored)
	if err != nil {
		return false, err
	}
	err = h.do(ctx, func() {
		key := argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.threads, uint32(len(p.key)))
		ok = subtle.ConstantTimeCompare(key, p.key) == 1
	})
	return ok, err
}

type parsedHash struct {
	memory, passes uint32
	threads        uint8
	salt, key      []byte
}

var errHash = errors.New("accounts: stored password hash is not argon2id")

func parseHash(s string) (p parsedHash, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.threads); err != nil {
		return p, errHash
	}
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return p, errHash
	}
	if p.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(p.key) == 0 {
		return p, errHash
	}
	return p, nil
}
