// SPDX-License-Identifier: Apache-2.0

package accounts

import "golang.org/x/crypto/argon2"

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
	NoteEvery   = noteEvery
)
