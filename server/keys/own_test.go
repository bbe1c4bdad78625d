// SPDX-License-Identifier: Apache-2.0

package keys_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/env"
	"touchstone.example/server/keys"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// TestOwn: a server's name and key are chosen once, and damage is not repaired by
// making another key, which would make the server a stranger to its own rooms.
func TestOwn(t *testing.T) {
	db := storagetest.Open(t)
	e := env.Fixed("seed", env.Real().Clock)
	first, err := keys.Own(t.Context(), db, e, "example.org")
	require.NoError(t, err)
	require.EqualValues(t, "example.org", first.Name)
	again, err := keys.Own(t.Context(), db, env.Real(), "example.org")
	require.NoError(t, err)
	require.Equal(t, first, again, "a restart signs with the same key")
	_, err = keys.Own(t.Context(), db, e, "example.com")
	require.ErrorContains(t, err, `belongs to a server named "example.org"`)

	for damaged, says := range map[string]string{"ed25519:a": "not in the form", "ed25519:a c2hvcnQ": "is damaged"} {
		db := storagetest.Open(t)
		require.NoError(t, db.Write(t.Context(), func(tx *storage.Writer) error {
			_, err := tx.EnsureServerInfo(t.Context(), "signing_key", damaged)
			return err
		}))
		_, err = keys.Own(t.Context(), db, e, "example.org")
		require.ErrorContains(t, err, says)
	}
}
