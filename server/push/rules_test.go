// SPDX-License-Identifier: Apache-2.0

package push_test

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/push"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

func rulesPath(rest string) string { return "/_matrix/client/v3/pushrules/" + rest }

// TestRules: what the operations answer is what decides, rule by rule.
func TestRules(t *testing.T) {
	s := slicetest.New(t, storagetest.Open(t))
	router := s.Router(t, api.Config{Auth: slicetest.Tokens()})
	slice := &push.Push{}
	clientapi.MountPushrules(router, slice)
	get := func(path string) slicetest.Answer {
		t.Helper()
		a := slicetest.Do(t, router, "GET", rulesPath(path), "alice", nil)
		require.Equal(t, 200, a.Status, a)
		return a
	}
	all := get("")
	var news syncpart.News
	require.NoError(t, push.SyncPart{}.Read(t.Context(), nil, &syncpart.Window{User: slicetest.User("alice")}, &news))
	require.Len(t, news.AccountData, 1)
	require.JSONEq(t, string(news.AccountData[0].Content), all.Body, "as /sync tells them")
	require.Equal(t, all.At("global"), get("global/").Body)
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
			require.JSONEq(t, string(b), get(path).Body)
			b, err = json.Marshal(map[string]any{"actions": rule["actions"]})
			require.NoError(t, err)
			require.JSONEq(t, string(b), get(path+"/actions").Body)
			b, err = json.Marshal(map[string]any{"enabled": rule["enabled"]})
			require.NoError(t, err)
			require.JSONEq(t, string(b), get(path+"/enabled").Body)
		}
	}
	require.Equal(t, 15, seen, "the predefined rules of this version")
}

func TestRulesThatAreNotThere(t *testing.T) {
	s := slicetest.New(t, storagetest.Open(t))
	router := s.Router(t, api.Config{Auth: slicetest.Tokens()})
	clientapi.MountPushrules(router, &push.Push{})
	var rows []slicetest.Row
	for _, end := range []string{"", "/actions", "/enabled"} {
		rows = append(rows,
			slicetest.Row{Name: "a rule of nobody's" + end, Method: "GET", Path: rulesPath("global/override/mine" + end), Token: "alice", Status: 404, ErrCode: "M_NOT_FOUND"},
			slicetest.Row{Name: "a rule of another kind" + end, Method: "GET", Path: rulesPath("global/underride/.m.rule.master" + end), Token: "alice", Status: 404, ErrCode: "M_NOT_FOUND"},
			slicetest.Row{Name: "a kind of no rule" + end, Method: "GET", Path: rulesPath("global/overrule/mine" + end), Token: "alice", Status: 404, ErrCode: "M_NOT_FOUND"},
			slicetest.Row{Name: "no token" + end, Method: "GET", Path: rulesPath("global/override/.m.rule.master" + end), Status: 401, ErrCode: "M_MISSING_TOKEN"},
		)
	}
	slicetest.Table(t, router, append(rows,
		slicetest.Row{Name: "all with no token", Method: "GET", Path: rulesPath(""), Status: 401, ErrCode: "M_MISSING_TOKEN"},
		slicetest.Row{Name: "a scope that is not global", Method: "GET", Path: rulesPath("device/"), Token: "alice", Status: 404, ErrCode: "M_UNRECOGNIZED"},
		slicetest.Row{Name: "to change a rule", Method: "PUT", Path: rulesPath("global/override/.m.rule.master/enabled"), Token: "alice", Body: slicetest.O{"enabled": true}, Status: 404, ErrCode: "M_UNRECOGNIZED"},
	))
}
