// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"cmp"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Analyze has the engine collect statistics.
func (db *DB) Analyze(t testing.TB) {
	ctx := context.Background()
	var err error
	switch e := db.engine.(type) {
	case *sqliteEngine:
		_, err = e.writer.conn.conn.ExecContext(ctx, "ANALYZE")
	case *postgresEngine:
		_, err = e.pool.Exec(ctx, "ANALYZE")
	}
	require.NoError(t, err)
}

// A Plan is how an engine runs a query.
type Plan struct {
	Text string
	// Reads are the parts of tables that are read but for single rows, each as
	// table(column, column..): the columns by whose values the index is
	// searched, with .. if by a range of them; none: all of the table. The
	// condition of an index of some rows follows. What is sorted before a LIMIT
	// ends it is sort for a LIMIT.
	Reads []string
}

// Explain returns the plan of a registered query, as the server's own connections
// would make it now.
func (db *DB) Explain(t testing.TB, name string) Plan { return db.ExplainQuery(t, registry[name]) }

// ExplainQuery returns the plan of any query.
func (db *DB) ExplainQuery(t testing.TB, q *Query) Plan {
	var p Plan
	switch e := db.engine.(type) {
	case *sqliteEngine:
		p = e.explain(t, q)
	case *postgresEngine:
		p = e.explain(t, q)
	}
	slices.Sort(p.Reads)
	p.Reads = slices.Compact(p.Reads)
	return p
}

var (
	planRead  = regexp.MustCompile(`^(?:SCAN|SEARCH) (\w+)(?: USING (AUTOMATIC )?(?:COVERING )?(?:INDEX (\w+)|[A-Z ]+)(?: \((.*)\))?)?$`)
	planTerm  = regexp.MustCompile(`(\w+)([=<>])\?`)
	aliasSQL  = regexp.MustCompile(`\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)\s+(?:AS\s+)?(\w+)`)
	limitSQL  = regexp.MustCompile(`LIMIT \$?\d+$`)
	paramsSQL = regexp.MustCompile(`\$\d+`)
)

func (e *sqliteEngine) explain(t testing.TB, q *query) (p Plan) {
	conn, err := e.connect(context.Background()) // statistics are read when it opens
	require.NoError(t, err)
	defer conn.conn.Close()
	args := make([]any, len(paramsSQL.FindAllString(q.sqlite, -1)))
	rows, err := conn.conn.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+q.sqlite, args...)
	require.NoError(t, err, q.name)
	defer rows.Close()
	aliases := map[string]string{}
	for _, m := range aliasSQL.FindAllStringSubmatch(q.text, -1) {
		aliases[m[2]] = m[1]
	}
	for rows.Next() {
		var id, parent, unused int
		var line string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &line))
		p.Text += "\n\t" + line
		if strings.HasPrefix(line, "USE TEMP B-TREE FOR") && strings.HasSuffix(line, "ORDER BY") && (parent != 0 || limitSQL.MatchString(q.text)) {
			p.Reads = append(p.Reads, sortForLimit)
		}
		m := planRead.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		var terms []planColumn
		for _, term := range planTerm.FindAllStringSubmatch(m[4], -1) {
			terms = append(terms, planColumn{strings.Replace(term[1], "rowid", "nid", 1), term[2] != "="})
		}
		if m[2] != "" {
			terms = nil // the index is made of all rows
		}
		p.read(t, cmp.Or(aliases[m[1]], m[1]), m[3], terms)
	}
	require.NoError(t, rows.Err())
	return p
}

// A pgNode is a part of PostgreSQL's plan.
type pgNode struct {
	Type  string   `json:"Node Type"`
	Table string   `json:"Relation Name"`
	Index string   `json:"Index Name"`
	Cond  string   `json:"Index Cond"`
	Plans []pgNode `json:"Plans"`
}

var pgTerm = regexp.MustCompile(`\((?:\w+\.)?(?:ROW\()?(\w+)(?:, \w+\))? (=|<>|<=?|>=?) `)

func (e *postgresEngine) explain(t testing.TB, q *query) (p Plan) {
	ctx := context.Background()
	c, err := e.pool.Acquire(ctx)
	require.NoError(t, err)
	defer c.Release()
	desc, err := c.Conn().Prepare(ctx, "", q.text)
	require.NoError(t, err)
	args := ""
	if n := len(desc.ParamOIDs); n > 0 {
		args = "(NULL" + strings.Repeat(", NULL", n-1) + ")"
	}
	results, err := c.Conn().PgConn().Exec(ctx, "PREPARE explained AS "+q.text+
		"; EXPLAIN (FORMAT JSON, COSTS OFF) EXECUTE explained"+args+"; DEALLOCATE explained").ReadAll()
	require.NoError(t, err, q.name)
	p.Text = string(results[1].Rows[0][0])
	var plans []struct{ Plan pgNode }
	require.NoError(t, json.Unmarshal(results[1].Rows[0][0], &plans))
	p.visit(t, plans[0].Plan)
	return p
}

func (p *Plan) visit(t testing.TB, n pgNode) {
	if n.Type == "Seq Scan" || n.Index != "" {
		var terms []planColumn
		for _, m := range pgTerm.FindAllStringSubmatch(n.Cond, -1) {
			terms = append(terms, planColumn{m[1], m[2] != "="})
		}
		if n.Table == "" {
			n.Table = tableOf(t, n.Index)
		}
		p.read(t, n.Table, n.Index, terms)
	}
	for _, inner := range n.Plans {
		if n.Type == "Limit" && strings.HasSuffix(inner.Type, "Sort") {
			p.Reads = append(p.Reads, sortForLimit)
		}
		p.visit(t, inner)
	}
}

// A planColumn is a column by which rows are looked for.
type planColumn struct {
	name   string
	range_ bool
}

const sortForLimit = "sort for a LIMIT"

// read notes what is read of a table, if it may be more than a row for each key
// that is looked for.
func (p *Plan) read(t testing.TB, table, index string, by []planColumn) {
	keys := uniqueKeys(t)[table]
	if keys == nil {
		return // a part of the query, or the list of keys
	}
	var list, equal []string
	for _, c := range by {
		if c.range_ {
			c.name += ".."
		} else {
			equal = append(equal, c.name)
		}
		if !slices.Contains(list, c.name) {
			list = append(list, c.name)
		}
	}
	for _, key := range keys {
		if !slices.ContainsFunc(key, func(column string) bool { return !slices.Contains(equal, column) }) {
			return
		}
	}
	p.Reads = append(p.Reads, table+"("+strings.Join(list, ", ")+")"+partial(t, index))
}

var (
	tableDDL   = regexp.MustCompile(`^CREATE TABLE (\w+)`)
	keyDDL     = regexp.MustCompile(`(?m)^\s*(?:PRIMARY KEY \(([\w, ]+)\)|(\w+) .*(?:PRIMARY KEY|UNIQUE),?\s*$)`)
	uniqueDDL  = regexp.MustCompile(`^CREATE UNIQUE INDEX \w+ ON (\w+) \(([\w, ]+)\)`)
	partialDDL = regexp.MustCompile(`^CREATE (?:UNIQUE )?INDEX (\w+) ON .*\)( WHERE .*)`)
	indexDDL   = regexp.MustCompile(`^CREATE (?:UNIQUE )?INDEX (\w+) ON (\w+)`)
)

// uniqueKeys are the columns of which each table has no two rows alike.
func uniqueKeys(t testing.TB) map[string][][]string {
	stmts, _, err := baseline()
	require.NoError(t, err)
	keys := map[string][][]string{}
	for _, stmt := range stmts {
		if m := uniqueDDL.FindStringSubmatch(stmt); m != nil {
			keys[m[1]] = append(keys[m[1]], strings.Split(m[2], ", "))
		}
		if m := tableDDL.FindStringSubmatch(stmt); m != nil {
			for _, key := range keyDDL.FindAllStringSubmatch(stmt, -1) {
				keys[m[1]] = append(keys[m[1]], strings.Split(cmp.Or(key[1], key[2]), ", "))
			}
		}
	}
	return keys
}

// partial is the condition of an index of some rows.
func partial(t testing.TB, index string) string {
	stmts, _, err := baseline()
	require.NoError(t, err)
	for _, stmt := range stmts {
		if m := partialDDL.FindStringSubmatch(stmt); m != nil && m[1] == index {
			return m[2]
		}
	}
	return ""
}

// tableOf is the table of an index of PostgreSQL.
func tableOf(t testing.TB, index string) string {
	stmts, _, err := baseline()
	require.NoError(t, err)
	for _, stmt := range stmts {
		if m := indexDDL.FindStringSubmatch(stmt); m != nil && m[1] == index {
			return m[2]
		}
		if m := tableDDL.FindStringSubmatch(stmt); m != nil && (index == m[1]+"_pkey" || index == m[1]+"_"+strings.TrimSuffix(m[1], "s")+"_id_key") {
			return m[1]
		}
	}
	t.Fatalf("no table has the index %s", index)
	return ""
}
