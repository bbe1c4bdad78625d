// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/ops"
	"touchstone.example/server/strict"
	"touchstone.example/tests/bodygen"
	"touchstone.example/tests/fakeidentity"
	"touchstone.example/tests/harness"
)

var coverageTable = flag.String("coverage-table", "", "write the table of operations into this Markdown file, between its coverage marks if it has some")

// servedElsewhere are operations of the client-server and server-server APIs
// that a homeserver does not serve.
var servedElsewhere = map[string]string{"askPolicyServerToSign": "policy servers serve it"}

// TestOperations calls every operation that a homeserver serves: without a token,
// with a wrong token, with a wrong method, with bodies and parameters that have one
// fault each, and then with a valid request. Operations that are not written yet
// are reported as UNFINISHED: what the generated code does for them is tested too.
func TestOperations(t *testing.T) {
	docs, err := bodygen.Load("../spec")
	require.NoError(t, err)
	is := fakeidentity.New(t)
	s := harness.Start(t, harness.Options{Settings: []string{
		"TOUCHSTONE_FEDERATION_TRUSTED_CA_FILE=" + is.CAFile(t),
		"TOUCHSTONE_WELL_KNOWN_CLIENT=https://client.example.org", "TOUCHSTONE_WELL_KNOWN_SERVER=federation.example.org:443",
	}})
	refusals := &refusals{}
	s.Record = refusals.record
	cov := &coverage{}
	for _, op := range ops.All {
		if (op.API != "clientapi" && op.API != "fedapi") || servedElsewhere[op.ID] != "" {
			continue
		}
		t.Run(op.API+"/"+op.ID, func(t *testing.T) {
			doc := docs[op.API+" "+op.ID]
			require.NotNil(t, doc, "the documents have the operation")
			c := newOperationCase(t, s, is, op, doc)
			c.run(t)
			cov.add(op, c.state, t.Failed())
		})
	}
	require.Equal(t, 201, len(cov.rows), "operations that a homeserver serves")
	require.Empty(t, refusals.bare, "refusals without a rule or a section")
	require.Greater(t, refusals.seen, 2000)
	t.Log("\n" + cov.text())
	if *coverageTable != "" {
		require.NoError(t, cov.write(*coverageTable))
	}
}

// refusals are the answers with an error code, and those of them that do not say
// by which rule and section.
type refusals struct {
	seen int
	bare []string
}

func (f *refusals) record(r harness.Request, _ []byte) func(*harness.Answer) {
	return func(a *harness.Answer) {
		var e struct {
			ErrCode    string             `json:"errcode"`
			Violations []strict.Violation `json:"org.touchstone.violations"`
		}
		if a.Status < 400 || json.Unmarshal(a.Body, &e) != nil || e.ErrCode == "" {
			return
		}
		f.seen++
		if len(e.Violations) == 0 || e.Violations[0].ErrCode != e.ErrCode {
			f.bare = append(f.bare, r.Method+" "+r.Path+": "+a.String())
		}
		for _, v := range e.Violations {
			if v.Rule == "" || v.Expected == "" || !strings.HasPrefix(v.Section, "https://spec.matrix.org/v1.19/") {
				f.bare = append(f.bare, r.Method+" "+r.Path+": "+v.Error())
			}
		}
	}
}

// An operationCase is one operation and a fixture for it alone.
type operationCase struct {
	op    *api.Operation
	doc   *bodygen.Operation
	s     *harness.Server
	is    *fakeidentity.Server
	w     *operationFixture
	alice *harness.User
	state string
}

func newOperationCase(t *testing.T, s *harness.Server, is *fakeidentity.Server, op *api.Operation, doc *bodygen.Operation) *operationCase {
	w := newOperationFixture(t, s, is, op.ID)
	return &operationCase{op: op, doc: doc, s: s, is: is, w: w, alice: w.alice}
}

func (c *operationCase) run(t *testing.T) {
	t.Run("no token", c.noToken)
	t.Run("wrong token", c.wrongToken)
	t.Run("wrong method", c.wrongMethod)
	if c.reachable() {
		t.Run("bad path", c.badPath)
		t.Run("bad query", c.badQuery)
		if c.hasJSONBody() {
			t.Run("not JSON", c.notJSON)
			t.Run("missing member", c.missingMember)
			t.Run("wrong type", c.wrongType)
			t.Run("all members", c.allMembers)
		}
	}
	t.Run("valid", c.valid)
}

// reachable says whether a user's access token opens the operation: servers
// sign their requests and application services have tokens of their own, which
// a server of this test run does not know.
func (c *operationCase) reachable() bool {
	return c.op.Auth != api.AuthServer && c.op.Auth != api.AuthAppService
}

func (c *operationCase) hasJSONBody() bool {
	return c.doc.Body != nil && c.doc.Media == "application/json"
}

// request is a valid request with as little as the operation demands.
func (c *operationCase) request(body any) harness.Request {
	r := harness.Request{Method: c.op.Method, Path: c.path(nil) + c.query(nil), Body: body}
	if c.op.Auth != api.AuthNone {
		r.Token = c.alice.Token
	}
	return r
}

func (c *operationCase) minimal() any {
	switch {
	case c.doc.Body == nil:
		return nil
	case !c.hasJSONBody():
		return "some bytes"
	}
	return c.maker(false).Make(c.doc.Body)
}

func (c *operationCase) maker(full bool) bodygen.Maker {
	return bodygen.Maker{Full: full, Values: c.w.bodyValue}
}

// path fills the template, with other values than the fixture's where with has
// some.
func (c *operationCase) path(with map[string]string) string {
	segments := strings.Split(c.op.Path, "/")
	for i, seg := range segments {
		name, isParam := strings.CutPrefix(strings.TrimSuffix(seg, "}"), "{")
		if !isParam {
			continue
		}
		v, ok := with[name]
		if !ok {
			v = c.w.pathValue(name)
		}
		segments[i] = escape(v)
	}
	return strings.Join(segments, "/")
}

// query writes the required parameters, and those of with; an empty value in
// with leaves one out.
func (c *operationCase) query(with map[string]string) string {
	var pairs []any
	for _, p := range c.doc.Params {
		if p.In != "query" {
			continue
		}
		v, ok := with[p.Name]
		if !ok && p.Required {
			v = c.w.queryValue(p)
		}
		if v != "" {
			pairs = append(pairs, p.Name, v)
		}
	}
	if len(pairs) == 0 {
		return ""
	}
	return harness.Query(pairs...)
}

func (c *operationCase) expect(t *testing.T, r harness.Request, status int, errcode, what string) {
	t.Helper()
	a := c.s.Do(t, r)
	require.Equal(t, status, a.Status, "%s: %s %s: %s", what, r.Method, r.Path, a)
	require.Equal(t, errcode, a.JSON().At("errcode").String(), "%s: %s %s: %s", what, r.Method, r.Path, a)
	require.False(t, a.Unfinished(), "%s is refused before the handler", what)
}

func (c *operationCase) noToken(t *testing.T) {
	r := c.request(c.minimal())
	r.Token = ""
	switch c.op.Auth {
	case api.AuthUser, api.AuthAppService:
		c.expect(t, r, http.StatusUnauthorized, "M_MISSING_TOKEN", "no token")
	case api.AuthServer:
		c.expect(t, r, http.StatusUnauthorized, "M_UNAUTHORIZED", "no signature")
	default:
		require.NotEqual(t, http.StatusInternalServerError, c.s.Do(t, r).Status)
	}
}

func (c *operationCase) wrongToken(t *testing.T) {
	r := c.request(c.minimal())
	r.Token = "nonsense"
	switch c.op.Auth {
	case api.AuthUser, api.AuthOptional, api.AuthAppService:
		c.expect(t, r, http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "wrong token")
	case api.AuthServer:
		c.expect(t, r, http.StatusUnauthorized, "M_UNAUTHORIZED", "a user's token for a signature")
	default:
		a := c.s.Do(t, r)
		require.NotEqual(t, "M_UNKNOWN_TOKEN", a.JSON().At("errcode").String(), "no token is asked for, so none can be wrong")
	}
}

func (c *operationCase) wrongMethod(t *testing.T) {
	taken := c.s.Routes.Methods(c.op.Path)
	for _, method := range []string{"DELETE", "PUT", "POST", "GET", "PATCH"} {
		if taken[method] {
			continue
		}
		r := c.request(nil)
		r.Method = method
		c.expect(t, r, http.StatusMethodNotAllowed, "M_UNRECOGNIZED", method)
		return
	}
	t.Fatal("every method is taken")
}

func (c *operationCase) badPath(t *testing.T) {
	bad := map[string]string{
		"mx-user-id": "no-user", "mx-room-id": "no-room", "mx-event-id": "no-event", "mx-room-alias": "no-alias",
		"mx-server-name": "no server",
	}
	for _, p := range c.doc.Params {
		if v := bad[p.Schema.Format]; p.In == "path" && v != "" {
			r := c.request(c.minimal())
			r.Path = c.path(map[string]string{p.Name: v}) + c.query(nil)
			c.expect(t, r, http.StatusBadRequest, "M_INVALID_PARAM", p.Name+" "+v)
		}
	}
}

func (c *operationCase) badQuery(t *testing.T) {
	for _, p := range c.doc.Params {
		if p.In != "query" {
			continue
		}
		try := func(value, errcode string) {
			r := c.request(c.minimal())
			r.Path = c.path(nil) + c.query(map[string]string{p.Name: value})
			c.expect(t, r, http.StatusBadRequest, errcode, p.Name+"="+value)
		}
		if p.Required && c.op.When != "query:"+p.Name {
			try("", "M_MISSING_PARAM")
		}
		switch {
		case len(p.Schema.Enum) > 0, strings.HasPrefix(p.Schema.Format, "mx-"):
			try("no such value", "M_INVALID_PARAM")
		case p.Schema.Is("integer") && !p.Schema.Is("string"):
			try("ten", "M_INVALID_PARAM")
		case p.Schema.Is("boolean") && !p.Schema.Is("string"):
			try("perhaps", "M_INVALID_PARAM")
		}
	}
}

func (c *operationCase) notJSON(t *testing.T) {
	for _, text := range []string{`{"a":`, `hello`, "{\"a\":\"\xff\"}", `{"a":1,"a":2}`, `{"a":"\ud800"}`} {
		c.expect(t, c.request(text), http.StatusBadRequest, "M_NOT_JSON", text)
	}
	if c.doc.Required {
		c.expect(t, c.request(""), http.StatusBadRequest, "M_NOT_JSON", "no body")
	}
}

func (c *operationCase) missingMember(t *testing.T) {
	for _, f := range c.maker(true).Missing(c.doc.Body) {
		c.expect(t, c.request(asJSON(t, f.Body)), http.StatusBadRequest, "M_BAD_JSON", f.Name)
	}
}

// asJSON writes a body that may be a mere string.
func asJSON(t *testing.T, body any) []byte {
	text, err := json.Marshal(body)
	require.NoError(t, err)
	return text
}

func (c *operationCase) wrongType(t *testing.T) {
	for _, f := range c.maker(true).WrongTypes(c.doc.Body) {
		c.expect(t, c.request(asJSON(t, f.Body)), http.StatusBadRequest, "M_BAD_JSON", f.Name)
	}
}

// allMembers sends every member that the schema has. The server may refuse their
// values, but must not find the body malformed.
func (c *operationCase) allMembers(t *testing.T) {
	c.w = newOperationFixture(t, c.s, c.is, c.op.ID)
	c.alice = c.w.alice
	a := c.s.Do(t, c.request(c.maker(true).Make(c.doc.Body)))
	for _, errcode := range []string{"M_NOT_JSON", "M_BAD_JSON", "M_MISSING_PARAM"} {
		require.NotEqual(t, errcode, a.JSON().At("errcode").String(), a)
	}
}

// valid sends a valid request.
func (c *operationCase) valid(t *testing.T) {
	c.w = newOperationFixture(t, c.s, c.is, c.op.ID)
	c.alice = c.w.alice
	a := c.s.Do(t, c.request(c.minimal()))
	switch {
	case !c.reachable():
		c.state = stateUnreached
		require.GreaterOrEqual(t, a.Status, 400, a)
	case a.Unfinished():
		c.state = stateUnfinished
		require.Equal(t, http.StatusNotFound, a.Status, a)
		require.Equal(t, "M_UNRECOGNIZED", a.JSON().At("errcode").String(), a)
	default:
		c.state = stateServed
		if a = c.authenticate(t, a); c.w.want != 0 {
			require.Equal(t, c.w.want, a.Status, a)
			return
		}
		require.True(t, a.Status >= 200 && a.Status < 400, "%s %s: %s", c.op.Method, c.path(nil), a)
	}
}

// authenticate goes through user-interactive authentication where it is asked
// for.
func (c *operationCase) authenticate(t *testing.T, a *harness.Answer) *harness.Answer {
	if a.Status != http.StatusUnauthorized || !a.JSON().At("flows").Exists() {
		return a
	}
	stage := a.JSON().At("flows", 0, "stages", 0).String()
	auth := map[string]any{"type": stage, "session": a.JSON().At("session").String()}
	if stage == "m.login.password" {
		auth["identifier"] = map[string]any{"type": "m.id.user", "user": c.alice.ID}
		auth["password"] = harness.Password
	}
	body, ok := c.minimal().(map[string]any)
	require.True(t, ok, "the body is an object")
	body["auth"] = auth
	return c.s.Do(t, c.request(body))
}

// stateNames are what an operation can be.
const (
	stateServed     = "served"
	stateUnfinished = "UNFINISHED"
	stateUnreached  = "not reached"
)

func (cov *coverage) write(file string) error {
	old, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.WriteFile(file, []byte(between(string(old), cov.markdown())), 0o644)
}
