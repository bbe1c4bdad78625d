// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
)

func TestSQLiteGetsItsOwnText(t *testing.T) {
	for postgres, sqlite := range map[string]string{
		`SELECT a FROM t WHERE b = ANY($12) AND c = $1`:       `SELECT a FROM t WHERE b IN (SELECT value FROM json_each($12)) AND c = $1`,
		`SELECT a FROM t WHERE b = ANY ( $1 ) FOR UPDATE`:     `SELECT a FROM t WHERE b IN (SELECT value FROM json_each($1))`,
		"SELECT a FROM t\n\tFOR UPDATE SKIP LOCKED":           `SELECT a FROM t`,
		`SELECT a FROM t FOR NO KEY UPDATE OF t NOWAIT`:       `SELECT a FROM t`,
		`UPDATE t SET a = $1 WHERE b = $2 AND foreupdate = 1`: `UPDATE t SET a = $1 WHERE b = $2 AND foreupdate = 1`,
	} {
		require.Equal(t, sqlite, storage.NewQuery("t", postgres).Lite())
	}
}

func FuzzTextComesBackInOrder(f *testing.F) {
	for _, s := range []string{"", "plain", "\x00", "\x01", "\x010", "\x00\x01", "é\x00", "🦊"} {
		f.Add(s, "other\x00")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?")
		var stored []string
		for _, s := range []string{a, b} {
			value, err := storage.Text(s).Value()
			require.NoError(t, err)
			text := value.(string)
			require.NotContains(t, text, "\x00")
			require.True(t, utf8.ValidString(text))
			var back storage.Text
			require.NoError(t, back.Scan(text))
			require.Equal(t, s, string(back))
			stored = append(stored, text)
		}
		require.Equal(t, strings.Compare(a, b), strings.Compare(stored[0], stored[1]))
	})
}
