// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
)

// A query is a named SQL text that runs on both engines.
type query struct {
	name   string
	text   string // PostgreSQL's, as written
	sqlite string // the text for SQLite, made from text
	any    []int  // the numbers of the parameters that hold arrays
	// found records that rows were returned or changed: [0] on SQLite, [1] on
	// PostgreSQL.
	found [2]atomic.Bool
}

var registry = map[string]*query{}

// q registers a query. It is called in package variables beside the methods that run
// them. A test prepares all of them on both engines.
func q(name, text string) *query {
	if registry[name] != nil {
		panic("storage: two queries are named " + name)
	}
	query := &query{name: name, text: text, sqlite: sqliteSQL(text), any: arrayParams(text)}
	registry[name] = query
	return query
}

// anySQL matches a comparison with an array parameter, which needs another text on
// SQLite.
var anySQL = regexp.MustCompile(`=\s*ANY\s*\(\s*\$(\d+)\s*\)`)

func arrayParams(text string) (params []int) {
	for _, m := range anySQL.FindAllStringSubmatch(text, -1) {
		var n int
		if _, err := fmt.Sscan(m[1], &n); err != nil {
			panic("storage: " + err.Error())
		}
		if !slices.Contains(params, n) {
			params = append(params, n)
		}
	}
	return params
}

// A QueryInfo describes one registered query to the conformance suite.
type QueryInfo struct {
	Name    string
	SQL     string
	Batched bool            // compares a column with an array
	Found   map[string]bool // by engine: it has found or changed rows since the program started
}

// Queries lists every registered query by name.
func Queries() []QueryInfo {
	list := make([]QueryInfo, 0, len(registry))
	for _, query := range registry {
		list = append(list, QueryInfo{
			Name: query.name, SQL: query.text, Batched: len(query.any) > 0,
			Found: map[string]bool{"sqlite": query.found[0].Load(), "postgres": query.found[1].Load()},
		})
	}
	slices.SortFunc(list, func(a, b QueryInfo) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Prepare prepares one registered query and returns the types of its
// parameters as the engine names them, empty where it does not know.
func (db *DB) Prepare(ctx context.Context, name string) ([]string, error) {
	query := registry[name]
	if query == nil {
		return nil, fmt.Errorf("query %s: %w", name, ErrNotFound)
	}
	return db.engine.describe(ctx, query)
}
