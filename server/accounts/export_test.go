// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"

	"golang.org/x/crypto/argon2"
)

// CountHashes returns a counter of the hashes that are computed from now on.
func (a *Accounts) CountHashes() *int {
	n := new(int)
	a.hasher.derive = func(password, salt []byte, passes, memory uint32, threads uint8, keyLen uint32) []byte {
		*n++
		return argon2.IDKey(password, salt, passes, memory, threads, keyLen)
	}
	return n
}

// HashOf is how a token is stored.
var HashOf = hashOf

// Limits.
const (
	MaxName     = maxName
	MaxPassword = maxPassword
	SessionLife = sessionLife
	NonceLife   = nonceLife
	NoteEvery   = lastSeenInterval

	MaxSessionsOfUser = maxSessionsOfUser
	Queued            = queued
	PasswordGuesses   = 10
	SessionGuesses    = 5
	ServerGuesses     = 100
)

// HoldHashes takes all places where hashes are computed, of which there is one.
func (a *Accounts) HoldHashes() (release func()) {
	release, err := a.hasher.acquire(context.Background())
	if err != nil {
		panic(err)
	}
	return release
}

// WaitForHash waits for such a place and gives it back.
func (a *Accounts) WaitForHash(ctx context.Context) {
	if release, err := a.hasher.acquire(ctx); err == nil {
		release()
	}
}

// Hashing counts who has such a place or waits for one.
func (a *Accounts) Hashing() int { return len(a.hasher.waiting) }
