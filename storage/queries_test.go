// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

var anyParam = regexp.MustCompile(`=\s*ANY\s*\(\s*\$(\d+)`)

func TestEveryQueryPreparesOnBothEngines(t *testing.T) {
	t.Log(storagetest.Explain())
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for _, q := range storage.Queries() {
			types, err := db.Prepare(t.Context(), q.Name)
			require.NoErrorf(t, err, "query %s", q.Name)
			if db.Engine() != "postgres" {
				continue
			}
			for _, m := range anyParam.FindAllStringSubmatch(q.SQL, -1) {
				n, err := strconv.Atoi(m[1])
				require.NoError(t, err)
				require.Containsf(t, []string{"_text", "_int8"}, types[n-1],
					"query %s looks up a batch of keys that SQLite never finds", q.Name)
			}
		}
	})
}

// What the engines do not share, or do differently without saying so.
var outsideTheCore = map[string]*regexp.Regexp{
	"LIKE folds case on SQLite":                    regexp.MustCompile(`(?i)\bI?LIKE\b`),
	"a cast is written CAST(x AS type)":            regexp.MustCompile(`::`),
	"DISTINCT ON exists on PostgreSQL only":        regexp.MustCompile(`(?i)DISTINCT\s+ON`),
	"times come from Go":                           regexp.MustCompile(`(?i)\bnow\s*\(|\bCURRENT_TIMESTAMP\b`),
	"JSON is read in Go":                           regexp.MustCompile(`->|@>`),
	"every column is named":                        regexp.MustCompile(`(?i)SELECT\s+(\w+\.)?\*|RETURNING\s+\*`),
	"columns are named in an INSERT":               regexp.MustCompile(`(?i)INSERT\s+INTO\s+\w+\s+(VALUES|SELECT)`),
	"WHERE TRUE goes before ON CONFLICT":           regexp.MustCompile(`(?is)SELECT\s(?:[^W]|W[^H])*\sON\s+CONFLICT`),
	"parameters are numbered":                      regexp.MustCompile(`\?`),
	"a batch is compared with = ANY($n), unnested": regexp.MustCompile(`(?i)\bunnest\b|\bIN\s*\(\s*\$`),
}

func TestQueriesStayInThePortableCore(t *testing.T) {
	for _, q := range storage.Queries() {
		for why, pattern := range outsideTheCore {
			require.Falsef(t, pattern.MatchString(q.SQL), "query %s: %s", q.Name, why)
		}
	}
}

func TestSchemaIsTranslatedForEachEngine(t *testing.T) {
	list := storage.Statements("-- a; comment\nCREATE TABLE a (\n\tk BIGINT NOT NULL, -- one\n\tt TEXT NOT NULL,\n\tb BYTEA,\n\tok BOOLEAN NOT NULL,\n\tPRIMARY KEY (k, t)\n);\nCREATE TABLE b (nid BIGINT NOT NULL PRIMARY KEY);\nCREATE INDEX i ON a (t);\n")
	require.Len(t, list, 3)
	require.Equal(t, "CREATE TABLE a (\n\tk INTEGER NOT NULL, \n\tt TEXT NOT NULL,\n\tb BLOB,\n\tok INTEGER NOT NULL,\n\tPRIMARY KEY (k, t)\n) STRICT, WITHOUT ROWID", storage.LiteDDL(list[0]))
	require.Equal(t, "CREATE TABLE b (nid INTEGER NOT NULL PRIMARY KEY) STRICT", storage.LiteDDL(list[1]))
	require.Equal(t, "CREATE INDEX i ON a (t)", storage.LiteDDL(list[2]))
	require.Contains(t, storage.PgDDL(list[0]), `t TEXT COLLATE "C" NOT NULL`)
}
