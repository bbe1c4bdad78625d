// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

var lockSQL = regexp.MustCompile(`(?i)\s+FOR\s+(NO\s+KEY\s+)?(UPDATE|SHARE)(\s+OF\s+\w+)?(\s+SKIP\s+LOCKED|\s+NOWAIT)?`)

// sqliteSQL converts PostgreSQL's text to SQLite's: arrays are passed as JSON, and row
// locks are removed, since there is one writer.
func sqliteSQL(text string) string {
	text = anySQL.ReplaceAllString(text, `IN (SELECT value FROM json_each($$$1))`)
	return lockSQL.ReplaceAllString(text, "")
}

// postgresArgs converts arguments for pgx: text is escaped, arrays become plain slices.
func postgresArgs(q *query, args []any) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case nil, int64, bool, int:
			out[i] = v
		case []byte:
			out[i] = v
		case string:
			out[i] = escapeText(v)
		default:
			out[i] = reflectArg(q, arg)
		}
	}
	return out
}

// sqliteArgs converts arguments for SQLite: like postgresArgs, and arrays become JSON.
func sqliteArgs(q *query, args []any) []any {
	out := postgresArgs(q, args)
	for i, arg := range out {
		switch v := arg.(type) {
		case []string:
			out[i] = jsonStrings(v)
		case []int64:
			out[i] = jsonInts(v)
		}
	}
	return out
}

// reflectArg converts the less common arguments: named string types, nullable pointers,
// slices.
func reflectArg(q *query, arg any) any {
	switch v := arg.(type) {
	case Text:
		return escapeText(string(v))
	case []string:
		return escapeAll(v)
	case []int64:
		if v == nil {
			return []int64{}
		}
		return v
	case [][]byte:
		panic("storage: query " + q.name + ": byte strings cannot be looked up in batches (on SQLite they are never found); use TEXT or BIGINT keys")
	case driver.Valuer:
		return v
	}
	v := reflect.ValueOf(arg)
	switch {
	case v.Kind() == reflect.String:
		return escapeText(v.String())
	case v.Kind() == reflect.Pointer && v.IsNil():
		return nil
	case v.Kind() == reflect.Pointer:
		return postgresArgs(q, []any{v.Elem().Interface()})[0]
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
		list := make([]string, v.Len())
		for i := range list {
			list[i] = v.Index(i).String()
		}
		return escapeAll(list)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		return v.Bytes()
	case v.CanInt():
		return v.Int()
	case v.Kind() == reflect.Bool:
		return v.Bool()
	}
	panic(fmt.Sprintf("storage: query %s: an argument is a %T, which no column holds", q.name, arg))
}

// escapeAll escapes the keys of a batch, which are compared with stored, escaped ones.
func escapeAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = escapeText(s)
	}
	return out
}

func jsonStrings(list []string) string {
	size := 2
	for _, s := range list {
		size += len(s) + 3
	}
	b := append(make([]byte, 0, size), '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = jsontext.AppendQuote(b, s); err != nil {
			panic("storage: " + err.Error()) // escapeText leaves invalid UTF-8 as it is
		}
	}
	return string(append(b, ']'))
}

func jsonInts(list []int64) string {
	b := append(make([]byte, 0, 2+8*len(list)), '[')
	for i, n := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return string(append(b, ']'))
}

var (
	bytesDDL   = regexp.MustCompile(`\bBYTEA\b`)
	integerDDL = regexp.MustCompile(`\b(BIGINT|BOOLEAN)\b`)
	textDDL    = regexp.MustCompile(`\bTEXT\b`)
	commentDDL = regexp.MustCompile(`(?m)--.*$`)
)

// statements splits a schema file. It has no strings or functions, so every
// semicolon ends a statement.
func statements(file string) (list []string) {
	for s := range strings.SplitSeq(commentDDL.ReplaceAllString(file, ""), ";") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// sqliteDDL converts the schema: strict column types as in PostgreSQL, a single integer
// key as the rowid, and tables with a compound key WITHOUT ROWID.
func sqliteDDL(stmt string) string {
	if !strings.HasPrefix(stmt, "CREATE TABLE") {
		return stmt
	}
	stmt = bytesDDL.ReplaceAllString(stmt, "BLOB")
	stmt = integerDDL.ReplaceAllString(stmt, "INTEGER")
	if strings.Contains(stmt, "PRIMARY KEY (") {
		return stmt + " STRICT, WITHOUT ROWID"
	}
	return stmt + " STRICT"
}

// postgresDDL compares text by bytes whatever the database's locale, as SQLite does.
func postgresDDL(stmt string) string {
	if !strings.HasPrefix(stmt, "CREATE TABLE") {
		return stmt
	}
	return textDDL.ReplaceAllString(stmt, `TEXT COLLATE "C"`)
}
