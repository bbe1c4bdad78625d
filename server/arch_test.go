// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"os/exec"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "touchstone.example/"

// kinds sorts the project's packages. A package that is in no kind fails the
// test: decide where it belongs before it is used.
var kinds = map[string][]string{
	"ids":       {"api/id", "api/canonjson", "api/raw"},
	"api":       {"api"},
	"generated": {"generated/*"},
	"spec":      {"spec"},
	"pure": {
		"server/event", "server/roomver", "server/eventauth", "server/stateres", "server/visibility",
		"server/pushrules", "server/filter", "server/devicekeys",
	},
	"storage":  {"storage"},
	"trie":     {"storage/statetrie"},
	"plumbing": {"server/env", "server/run", "server/feed", "server/jobs", "server/keys", "server/config", "server/obs", "server/strict", "server/limits", "server/outbound", "server/idclient", "server/upkeep"},
	"contract": {"server/syncpart", "server/devicelists"},
	"roomview": {"server/roomview"},
	"rooms":    {"server/rooms"},
	"answers":  {"server/roomerrors"},
	"slice": {
		"server/accountdata", "server/accounts", "server/clientsync", "server/discovery", "server/e2ee", "server/keybackup",
		"server/membership", "server/messages", "server/openid", "server/presence", "server/profiles", "server/push", "server/roomcreate",
		"server/receipts", "server/todevice", "server/typing",
	},
	"lab":    {"server/lab"},
	"tool":   {"server/roomtool"},
	"server": {"server"},
	"main":   {"cmd/*", "complement/*", "spec/distill", "spec/gen", "tests/bench"},
	"tests":  {"storage/storagetest", "storage/storagetest/*", "tests", "tests/*", "fuzz", "docs"},
}

// rules say whom each kind may import, and why not more.
var rules = map[string]struct {
	may []string
	why string
}{
	"ids":       {[]string{"ids"}, "identifiers and JSON stand at the bottom"},
	"api":       {[]string{"ids"}, "the runtime under the generated code knows no operation and no storage"},
	"generated": {[]string{"ids", "api", "generated", "spec"}, "generated code is types and routes, no behaviour"},
	"spec":      {nil, "the specification is data"},
	"pure":      {[]string{"ids", "pure"}, "the room engine computes from values alone"},
	"trie":      {nil, "the tree of room state knows neither SQL nor Matrix"},
	"storage":   {[]string{"ids", "trie"}, "storage knows bytes and columns, not Matrix"},
	"plumbing":  {[]string{"ids", "api", "generated", "spec", "plumbing", "storage", "pure"}, "plumbing serves the slices and knows none"},
	"contract":  {[]string{"ids", "plumbing", "storage"}, "what slices agree on with each other stands below them"},
	"roomview":  {[]string{"ids", "pure", "plumbing", "storage"}, "reading a room knows no operation, no status code and no way to change it"},
	"rooms":     {[]string{"ids", "pure", "plumbing", "storage", "roomview"}, "the way into a room knows no operation and no status code"},
	"answers":   {[]string{"ids", "api", "rooms"}, "what slices answer alike for the engine stands below them, since they do not know each other"},
	"slice":     {[]string{"ids", "api", "generated", "pure", "plumbing", "storage", "contract", "roomview", "rooms", "answers"}, "slices do not know each other: wire.go connects them"},
	"lab":       {[]string{"ids", "api", "generated", "plumbing", "storage", "slice"}, "the lab controls a server from above, and no slice knows that it is there"},
	"tool":      {[]string{"ids", "pure"}, "the room commands are the engine with files"},
	"server":    {[]string{"ids", "api", "generated", "spec", "pure", "plumbing", "storage", "contract", "roomview", "rooms", "answers", "slice", "lab"}, "the server puts all together and is imported by mains and tests"},
}

// noEffects are what the pure packages may not import: the room engine has no
// context, clock, database, network or log.
var noEffects = []string{
	"context", "time", "os", "net", "net/http", "database/sql", "log", "log/slog", "math/rand", "math/rand/v2",
	"crypto/rand", "github.com/jackc/pgx/v5", "modernc.org/sqlite",
}

func TestImportsPointOneWay(t *testing.T) {
	for pkg, imports := range packages(t) {
		kind := kindOf(t, pkg)
		rule, ruled := rules[kind]
		for _, imported := range imports {
			own, ours := strings.CutPrefix(imported, module)
			switch {
			case ours && ruled:
				require.Contains(t, rule.may, kindOf(t, own), "%s imports %s: %s", pkg, own, rule.why)
			case !ours && (kind == "pure" || kind == "ids" || kind == "trie"):
				require.NotContains(t, noEffects, imported, "%s is pure", pkg)
			}
			if ours && kind == "slice" {
				require.NotEqual(t, "slice", kindOf(t, own), "%s imports %s: %s", pkg, own, rule.why)
			}
			if pkg == "server/clientsync" {
				require.NotEqual(t, "server/rooms", own, "/sync writes nothing: it reads rooms through server/roomview")
			}
		}
	}
}

// packages lists the project's packages with what they import, tests left out.
func packages(t *testing.T) map[string][]string {
	cmd := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", module+"...")
	out, err := cmd.Output()
	require.NoError(t, err)
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if pkg, ok := strings.CutPrefix(fields[0], module); ok {
			all[pkg] = fields[1:]
		}
	}
	require.Greater(t, len(all), 30)
	return all
}

func kindOf(t *testing.T, pkg string) string {
	for kind, patterns := range kinds {
		for _, pattern := range patterns {
			if ok, err := path.Match(pattern, pkg); err == nil && ok {
				return kind
			}
		}
	}
	require.Failf(t, "no kind", "package %s is in no kind of this table", pkg)
	return ""
}
