// SPDX-License-Identifier: Apache-2.0

package push_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/push"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/roomtest"
	"touchstone.example/tests/slicetest"
)

func rulesPath(rest string) string { return "/_matrix/client/v3/pushrules/" + rest }

// rulePath is the path of a rule, or of its actions or whether it is on.
func rulePath(kind, ruleID string) string {
	ruleID, end, _ := strings.Cut(ruleID, "/")
	return strings.TrimSuffix(slicetest.Path("v3/pushrules/global/{}/{}", kind, ruleID)+"/"+end, "/")
}

// A fixture is push and rooms on a database with the accounts of alice, bob, carol
// and dora.
type fixture struct {
	*slicetest.Fixture
	t      testing.TB
	slice  *push.Push
	router *api.Router
}

func newFixture(t testing.TB, db *storage.DB, d push.Deps) *fixture {
	s := slicetest.New(t, db)
	d.DB, d.Feed = db, s.Feed
	h := &fixture{Fixture: s, t: t, slice: push.New(d), router: s.Router(t, api.Config{Auth: slicetest.Tokens()})}
	clientapi.MountPushrules(h.router, h.slice)
	roomtest.Mount(h.router, s, func(rd *roomtest.Deps) { rd.Rooms.MemberRules, rd.Rooms.Predefined = h.slice, d.Predefined })
	require.NoError(t, db.Write(t.Context(), func(tx *storage.Writer) error {
		if _, err := tx.User(t.Context(), slicetest.User("alice")); err == nil {
			return nil // another fixture's
		}
		for _, name := range []string{"alice", "bob", "carol", "dora"} {
			if err := tx.InsertUser(t.Context(), &storage.User{ID: slicetest.User(name), Kind: "user"}); err != nil {
				return err
			}
		}
		return nil
	}))
	return h
}

func each(t *testing.T, fn func(t *testing.T, h *fixture)) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) { fn(t, newFixture(t, db, push.Deps{})) })
}

func (h *fixture) ok(method, path, token string, body any) slicetest.Answer {
	h.t.Helper()
	return slicetest.OK(h.t, h.router, method, path, token, body)
}

func (h *fixture) put(token, kind, ruleID, query string, body any) {
	h.t.Helper()
	require.Equal(h.t, `{}`, h.ok("PUT", rulePath(kind, ruleID)+query, token, body).Body)
}

// news is what /sync tells a user of push rules between two positions.
func (h *fixture) news(name string, since, upTo int64) []syncpart.Typed {
	h.t.Helper()
	var news syncpart.News
	require.NoError(h.t, h.DB.Read(h.t.Context(), func(tx *storage.Reader) error {
		return push.SyncPart{Push: h.slice}.Read(h.t.Context(), tx, &syncpart.Window{User: slicetest.User(name), Since: since, UpTo: upTo}, &news)
	}))
	return news.AccountData
}

// order lists the rules of a kind that are not predefined.
func (h *fixture) order(token, kind string) (ruleIDs []string) {
	h.t.Helper()
	var all map[string][]struct {
		RuleID  string `json:"rule_id"`
		Default bool   `json:"default"`
	}
	require.NoError(h.t, json.Unmarshal([]byte(h.ok("GET", rulesPath("global/"), token, nil).Body), &all))
	for _, r := range all[kind] {
		if !r.Default {
			ruleIDs = append(ruleIDs, r.RuleID)
		}
	}
	return ruleIDs
}

// TestRules: what the operations answer is what decides, rule by rule.
func TestRules(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		all := h.ok("GET", rulesPath(""), "alice", nil)
		told := h.news("alice", 0, 0)
		require.Len(t, told, 1)
		require.JSONEq(t, string(told[0].Content), all.Body, "as /sync tells them")
		content, err := h.slice.Content(t.Context(), slicetest.User("alice"))
		require.NoError(t, err)
		require.JSONEq(t, string(content), all.Body, "as account data")
		require.Equal(t, all.At("global"), h.ok("GET", rulesPath("global/"), "alice", nil).Body)
		require.Contains(t, all.Body, `"value":"@alice:hs1"`, "the rules are of the one who asks")

		rules := map[string][]map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(all.At("global")), &rules))
		seen := 0
		for kind, list := range rules {
			for _, rule := range list {
				seen++
				path := "global/" + kind + "/" + rule["rule_id"].(string)
				b, err := json.Marshal(rule)
				require.NoError(t, err)
				require.JSONEq(t, string(b), h.ok("GET", rulesPath(path), "alice", nil).Body)
				b, err = json.Marshal(map[string]any{"actions": rule["actions"]})
				require.NoError(t, err)
				require.JSONEq(t, string(b), h.ok("GET", rulesPath(path+"/actions"), "alice", nil).Body)
				b, err = json.Marshal(map[string]any{"enabled": rule["enabled"]})
				require.NoError(t, err)
				require.JSONEq(t, string(b), h.ok("GET", rulesPath(path+"/enabled"), "alice", nil).Body)
			}
		}
		require.Equal(t, 15, seen, "the predefined rules of this version")
	})
}

// TestChangingRules: rules are added in order, changed, turned off and deleted;
// each change is told once, and the rules are another user's in nothing.
func TestChangingRules(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.put("bob", "override", "a", "", slicetest.O{"actions": slicetest.L{}})
		since := h.Feed.Stamp()
		step := func(what string, told bool, change func()) {
			t.Helper()
			change()
			now := h.Feed.Stamp()
			list := h.news("alice", since, now)
			if !told {
				require.Empty(t, list, what)
				return
			}
			require.Len(t, list, 1, what)
			require.Equal(t, "m.push_rules", list[0].Type)
			require.JSONEq(t, h.ok("GET", rulesPath(""), "alice", nil).Body, string(list[0].Content), what)
			require.Empty(t, h.news("bob", since, now), what)
			since = now
		}
		notify := slicetest.O{"actions": slicetest.L{"notify"}}
		step("a rule", true, func() { h.put("alice", "override", "a", "", notify) })
		step("the same rule", false, func() { h.put("alice", "override", "a", "", notify) })
		step("a more important one", true, func() { h.put("alice", "override", "b", "", notify) })
		require.Equal(t, []string{"b", "a"}, h.order("alice", "override"), "a new rule is the most important")
		step("one between", true, func() { h.put("alice", "override", "c", "?after=b", notify) })
		step("one before all", true, func() { h.put("alice", "override", "d", "?before=b", notify) })
		require.Equal(t, []string{"d", "b", "c", "a"}, h.order("alice", "override"))
		step("one that moves", true, func() { h.put("alice", "override", "d", "?after=a", notify) })
		require.Equal(t, []string{"b", "c", "a", "d"}, h.order("alice", "override"))

		step("a rule for words", true, func() {
			h.put("alice", "content", "word", "", slicetest.O{"pattern": "cake*lie", "actions": slicetest.L{"dont_notify", "coalesce", slicetest.O{"set_tweak": "x", "value": 1}}})
		})
		require.JSONEq(t, `{"rule_id":"word","default":false,"enabled":true,"pattern":"cake*lie","actions":["dont_notify","coalesce",{"set_tweak":"x","value":1}]}`,
			h.ok("GET", rulePath("content", "word"), "alice", nil).Body, "obsolete actions are kept")
		step("a rule that is turned off", true, func() { h.put("alice", "content", "word/enabled", "", slicetest.O{"enabled": false}) })
		require.Equal(t, "false", h.ok("GET", rulePath("content", "word")+"/enabled", "alice", nil).At("enabled"))
		step("a rule that was off", false, func() { h.put("alice", "content", "word/enabled", "", slicetest.O{"enabled": false}) })
		step("a changed rule", true, func() { h.put("alice", "content", "word", "", slicetest.O{"pattern": "pie", "actions": slicetest.L{}}) })
		require.Equal(t, "false", h.ok("GET", rulePath("content", "word"), "alice", nil).At("enabled"), "it stays off")
		step("other actions", true, func() {
			h.put("alice", "override", ".m.rule.tombstone/actions", "", slicetest.O{"actions": slicetest.L{"notify"}})
		})
		require.Equal(t, `["notify"]`, h.ok("GET", rulePath("override", ".m.rule.tombstone/actions"), "alice", nil).At("actions"))
		step("a predefined rule", true, func() { h.put("alice", "override", ".m.rule.master/enabled", "", slicetest.O{"enabled": true}) })
		step("a rule that goes", true, func() { h.ok("DELETE", rulePath("override", "c"), "alice", nil) })
		require.Equal(t, []string{"b", "a", "d"}, h.order("alice", "override"))
		require.Equal(t, []string{"a"}, h.order("bob", "override"))
		require.Equal(t, "false", h.ok("GET", rulePath("override", ".m.rule.master"), "bob", nil).At("enabled"))
	})
}

func TestRulesRefuse(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.put("alice", "override", "a", "", slicetest.O{"actions": slicetest.L{}})
		h.put("alice", "underride", "u", "", slicetest.O{"actions": slicetest.L{}})
		before := h.ok("GET", rulesPath(""), "alice", nil).Body
		put := func(name, kind, ruleID string, body any, status int, errcode string) slicetest.Row {
			return slicetest.Row{Name: name, Method: "PUT", Path: rulePath(kind, ruleID), Token: "alice", Body: body, Status: status, ErrCode: errcode}
		}
		actions := slicetest.O{"actions": slicetest.L{"notify"}}
		with := func(condition any) slicetest.O {
			return slicetest.O{"actions": slicetest.L{}, "conditions": slicetest.L{condition}}
		}
		relative := func(name, query string) slicetest.Row {
			return slicetest.Row{Name: name, Method: "PUT", Path: rulePath("override", "new") + query, Token: "alice", Body: actions, Status: 400, ErrCode: "M_UNKNOWN"}
		}
		rows := []slicetest.Row{
			put("an id of the server's", "override", ".m.rule.master", actions, 400, "M_INVALID_PARAM"),
			put("an id that begins with a dot", "override", ".mine", actions, 400, "M_INVALID_PARAM"),
			put("a backslash", "override", `a\b`, actions, 400, "M_INVALID_PARAM"),
			put("a room rule that names no room", "room", "mine", actions, 400, "M_INVALID_PARAM"),
			put("a sender rule that names nobody", "sender", "mine", actions, 400, "M_INVALID_PARAM"),
			put("a kind of no rule", "overrule", "mine", actions, 400, "M_INVALID_PARAM"),
			put("no actions", "override", "x", slicetest.O{}, 400, "M_BAD_JSON"),
			put("an action that is a number", "override", "x", slicetest.O{"actions": slicetest.L{1}}, 400, "M_BAD_JSON"),
			put("a tweak without a name", "override", "x", slicetest.O{"actions": slicetest.L{slicetest.O{"set_tweak": 1}}}, 400, "M_BAD_JSON"),
			put("no pattern", "content", "x", actions, 400, "M_BAD_JSON"),
			put("a condition without a kind", "override", "x", with(slicetest.O{"key": "type"}), 400, "M_BAD_JSON"),
			put("a condition without its pattern", "override", "x", with(slicetest.O{"kind": "event_match", "key": "type"}), 400, "M_BAD_JSON"),
			put("no comparison", "override", "x", with(slicetest.O{"kind": "room_member_count", "is": "!2"}), 400, "M_BAD_JSON"),
			put("not a boolean", "override", "a/enabled", slicetest.O{"enabled": "yes"}, 400, "M_BAD_JSON"),
			put("to turn on nothing", "override", "x/enabled", slicetest.O{"enabled": true}, 404, "M_NOT_FOUND"),
			put("actions of nothing", "override", "x/actions", slicetest.O{"actions": slicetest.L{}}, 404, "M_NOT_FOUND"),
			relative("before nothing", "?before=x"), relative("after nothing", "?after=x"),
			relative("before a predefined rule", "?before=.m.rule.master"), relative("after a rule of another kind", "?after=u"),
			{Name: "to delete a predefined rule", Method: "DELETE", Path: rulePath("override", ".m.rule.master"), Token: "alice", Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "to delete nothing", Method: "DELETE", Path: rulePath("override", "x"), Token: "alice", Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "another's rule to delete", Method: "DELETE", Path: rulePath("override", "a"), Token: "bob", Status: 404, ErrCode: "M_NOT_FOUND"},
			{Name: "no token to delete", Method: "DELETE", Path: rulePath("override", "a"), Status: 401, ErrCode: "M_MISSING_TOKEN"},
			{Name: "no token to change", Method: "PUT", Path: rulePath("override", "a"), Body: actions, Status: 401, ErrCode: "M_MISSING_TOKEN"},
			{Name: "all with no token", Method: "GET", Path: rulesPath(""), Status: 401, ErrCode: "M_MISSING_TOKEN"},
			{Name: "a scope that is not global", Method: "GET", Path: rulesPath("device/"), Token: "alice", Status: 404, ErrCode: "M_UNRECOGNIZED"},
		}
		for _, end := range []string{"", "/actions", "/enabled"} {
			rows = append(rows,
				slicetest.Row{Name: "a rule of nobody's" + end, Method: "GET", Path: rulesPath("global/override/mine" + end), Token: "alice", Status: 404, ErrCode: "M_NOT_FOUND"},
				slicetest.Row{Name: "a rule of another kind" + end, Method: "GET", Path: rulesPath("global/underride/.m.rule.master" + end), Token: "alice", Status: 404, ErrCode: "M_NOT_FOUND"},
				slicetest.Row{Name: "a kind of no rule" + end, Method: "GET", Path: rulesPath("global/overrule/mine" + end), Token: "alice", Status: 404, ErrCode: "M_NOT_FOUND"},
				slicetest.Row{Name: "no token" + end, Method: "GET", Path: rulesPath("global/override/.m.rule.master" + end), Status: 401, ErrCode: "M_MISSING_TOKEN"},
			)
		}
		slicetest.Table(t, h.router, rows)
		require.Equal(t, before, h.ok("GET", rulesPath(""), "alice", nil).Body)
	})
}
