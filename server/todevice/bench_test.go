// SPDX-License-Identifier: Apache-2.0

package todevice_test

import (
	"fmt"
	"testing"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// BenchmarkSendToDevices is one message to each of 1,000 devices of 500 users.
func BenchmarkSendToDevices(b *testing.B) {
	bench := func(db *storage.DB) func(b *testing.B) {
		return func(b *testing.B) {
			f := newFixture(b, db)
			f.devices("alice", "ALICE")
			messages := slicetest.O{}
			for i := range 500 {
				user := fmt.Sprint("user", i)
				f.devices(user, "A", "B")
				messages["@"+user+":hs1"] = slicetest.O{
					"A": slicetest.O{"ciphertext": "a ciphertext of some length, as a room key has"},
					"B": slicetest.O{"ciphertext": "a ciphertext of some length, as a room key has"},
				}
			}
			for b.Loop() {
				f.send("org.example.key", messages)
			}
		}
	}
	b.Run("sqlite", bench(storagetest.OpenURL(b, "sqlite://"+b.TempDir()+"/bench.db")))
	b.Run("postgres", bench(storagetest.OpenURL(b, storagetest.PostgresURL(b))))
}
