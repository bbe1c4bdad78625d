// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-openapi/runtime"
	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
)

func TestAccessTokens(t *testing.T) {
	for name, c := range map[string]struct {
		target  string
		headers []string
		token   string
		ok      bool
	}{
		"none":                             {"/", nil, "", false},
		"in the header":                    {"/", []string{"Bearer abc"}, "abc", true},
		"the scheme in any case":           {"/", []string{"bEARER abc"}, "abc", true},
		"several spaces":                   {"/", []string{"Bearer   abc "}, "abc", true},
		"in the query":                     {"/?a=b&access_token=a%2Bc", nil, "a+c", true},
		"an empty one in the query":        {"/?access_token=", nil, "", false},
		"the header wins":                  {"/?access_token=query", []string{"Bearer header"}, "header", true},
		"a header of another scheme":       {"/", []string{"Basic abc"}, "", false},
		"a header of another scheme wins":  {"/?access_token=query", []string{"Basic abc"}, "", false},
		"a header without a scheme":        {"/", []string{"abc"}, "", false},
		"a scheme without a token":         {"/", []string{"Bearer "}, "", false},
		"a scheme that begins like Bearer": {"/", []string{"BearerX abc"}, "", false},
		"only the first header counts":     {"/", []string{"Basic abc", "Bearer def"}, "", false},
	} {
		r := httptest.NewRequest("GET", c.target, nil)
		for _, h := range c.headers {
			r.Header.Add("Authorization", h)
		}
		token, ok := AccessToken(r)
		require.Equal(t, c.ok, ok, name)
		if ok {
			require.Equal(t, c.token, token, name)
		}
	}
}

// authRouter has one operation for each kind of Auth, which says who called.
func authRouter(cfg Config) *Router {
	rt := NewRouter(cfg)
	for path, who := range map[string]func(ctx context.Context, x *Exchange) (string, error){
		"/user": func(ctx context.Context, x *Exchange) (string, error) {
			c, err := x.User(ctx)
			return string(c.User), err
		},
		"/as": func(ctx context.Context, x *Exchange) (string, error) {
			c, err := x.AppService(ctx)
			return c.AppService, err
		},
		"/is": func(ctx context.Context, x *Exchange) (string, error) {
			c, err := x.Identity(ctx)
			return string(c.User), err
		},
		"/hs": func(ctx context.Context, x *Exchange) (string, error) { return "homeserver", x.Homeserver(ctx) },
		"/optional": func(ctx context.Context, x *Exchange) (string, error) {
			c, err := x.OptionalUser(ctx)
			if c == nil {
				return "nobody", err
			}
			return string(c.User), err
		},
		"/server": func(ctx context.Context, x *Exchange) (string, error) {
			s, err := x.Server(ctx)
			if err != nil {
				return "", err
			}
			body, err := x.RawBody()
			return string(s) + string(body), err
		},
	} {
		rt.Add(&Operation{ID: path, Method: "PUT", Path: path, Auth: AuthUser}, func(ctx context.Context, x *Exchange) error {
			s, err := who(ctx, x)
			if err != nil {
				return err
			}
			return x.Reply(200, text(s))
		})
	}
	return rt
}

func TestAuthenticators(t *testing.T) {
	find := func(_ *http.Request, token string) (Caller, error) {
		switch token {
		case "good":
			return Caller{User: "@a:x", AppService: "bridge"}, nil
		case "broken":
			return Caller{}, errors.New("database is gone")
		}
		return Caller{}, UnknownToken(false)
	}
	token := TokenAuthenticator(find)
	rt := authRouter(Config{Auth: Authenticators{
		User: token, AppService: token, Identity: token,
		Homeserver: TokenAuthenticator(func(r *http.Request, token string) (struct{}, error) {
			_, err := find(r, token)
			return struct{}{}, err
		}),
	}})
	for path, want := range map[string]string{"/user": "@a:x", "/as": "bridge", "/is": "@a:x", "/hs": "homeserver", "/optional": "@a:x"} {
		require.Equal(t, want, said(t, do(rt, "PUT", path, "", "Authorization", "Bearer good")), path)
		require.Equal(t, want, said(t, do(rt, "PUT", path+"?access_token=good", "")), path)
		w := do(rt, "PUT", path, "", "Authorization", "Bearer bad")
		requireError(t, w, 401, "M_UNKNOWN_TOKEN", path)
		require.Contains(t, w.Body.String(), `"soft_logout":false`)
		requireError(t, do(rt, "PUT", path, "", "Authorization", "Bearer broken"), 500, "M_UNKNOWN", path)
		if path == "/optional" {
			require.Equal(t, "nobody", said(t, do(rt, "PUT", path, "")))
			continue
		}
		requireError(t, do(rt, "PUT", path, ""), 401, "M_MISSING_TOKEN", path)
		requireError(t, do(rt, "PUT", path, "", "Authorization", "Basic good"), 401, "M_MISSING_TOKEN", path)
	}
}

// TestAuthenticatorsThatAreMissing: what nobody authenticates nobody may do. One
// of the wrong type does not compile.
func TestAuthenticatorsThatAreMissing(t *testing.T) {
	log, out := logged()
	rt := authRouter(Config{Log: log})
	for path, kind := range map[string]string{"/user": "user", "/optional": "optional", "/as": "appservice", "/is": "identity", "/hs": "homeserver"} {
		requireError(t, do(rt, "PUT", path, "", "Authorization", "Bearer good"), 500, "M_UNKNOWN")
		requireError(t, do(rt, "PUT", path, ""), 500, "M_UNKNOWN")
		require.Contains(t, out.String(), "no authenticator for "+kind)
	}
	requireError(t, do(rt, "PUT", "/server", ""), 401, "M_UNAUTHORIZED")
	requireError(t, do(rt, "PUT", "/server", "", "Authorization", "X-Matrix a=b"), 500, "M_UNKNOWN")
	require.Contains(t, out.String(), "no authenticator for server")
	require.Equal(t, "Auth(99)", Auth(99).String())
}

// TestAuthenticatorsAreThoseOfGoOpenAPI: code that knows only that contract is
// told the same.
func TestAuthenticatorsAreThoseOfGoOpenAPI(t *testing.T) {
	var user runtime.Authenticator = TokenAuthenticator(func(_ *http.Request, token string) (Caller, error) {
		if token != "good" {
			return Caller{}, UnknownToken(false)
		}
		return Caller{User: "@a:x"}, nil
	})
	r := httptest.NewRequest("GET", "/", nil)
	named, who, err := user.Authenticate(r)
	require.NoError(t, err)
	require.False(t, named)
	require.Zero(t, who)
	r.Header.Set("Authorization", "Bearer good")
	named, who, err = user.Authenticate(r)
	require.NoError(t, err)
	require.True(t, named)
	require.Equal(t, Caller{User: "@a:x"}, who)
	r.Header.Set("Authorization", "Bearer bad")
	named, _, err = user.Authenticate(r)
	require.Equal(t, UnknownToken(false), err)
	require.True(t, named)
}

// TestPermit: who is known may still be refused, by operation.
func TestPermit(t *testing.T) {
	rt := authRouter(Config{
		Auth: Authenticators{User: TokenAuthenticator(func(_ *http.Request, token string) (Caller, error) {
			return Caller{User: "@a:x", Guest: token == "guest"}, nil
		})},
		Permit: func(op *Operation, who Caller) error {
			if who.Guest {
				return Forbidden("%s is not for guests", op.ID)
			}
			return nil
		},
	})
	for _, path := range []string{"/user", "/optional"} {
		require.Equal(t, "@a:x", said(t, do(rt, "PUT", path, "", "Authorization", "Bearer user")), path)
		w := do(rt, "PUT", path, "", "Authorization", "Bearer guest")
		requireError(t, w, 403, "M_FORBIDDEN", path)
		require.Contains(t, w.Body.String(), path)
	}
	require.Equal(t, "nobody", said(t, do(rt, "PUT", "/optional", "")))
}

func TestTokensInTheQueryAreReported(t *testing.T) {
	var rules []string
	setting := SettingReport
	rt := authRouter(Config{
		Auth: Authenticators{User: TokenAuthenticator(func(*http.Request, string) (Caller, error) { return Caller{User: "@a:x"}, nil })},
		Checks: Checks{
			Settle: func(_ *Operation, v *Violation) { v.Setting = setting },
			Store:  func(v Violation) { rules = append(rules, v.Rule+" "+v.Where.String()+" "+v.Who.User) },
		},
	})
	require.Equal(t, "@a:x", said(t, do(rt, "PUT", "/user?access_token=t", "")))
	require.Equal(t, []string{`access-token-in-query query parameter "access_token" @a:x`}, rules)
	setting = SettingEnforce
	requireError(t, do(rt, "PUT", "/user?access_token=t", ""), 400, "M_UNKNOWN")
	rules = nil
	require.Equal(t, "@a:x", said(t, do(rt, "PUT", "/user?access_token=t", "", "Authorization", "Bearer t")))
	require.Empty(t, rules)
}

func TestSignedRequests(t *testing.T) {
	verify := func(r *http.Request, signed []XMatrix) (id.ServerName, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != `{"a":1}` {
			return "", errors.New("the body is not there")
		}
		if signed[0].Sig != "s" {
			return "", Unauthorized("Bad signature")
		}
		return signed[len(signed)-1].Origin, nil
	}
	rt := authRouter(Config{MaxBody: 10, Auth: Authenticators{Server: SignatureAuthenticator(verify)}})
	const body, ok = `{"a":1}`, `X-Matrix origin="o",destination="d",key="ed25519:1",sig="s"`
	require.Equal(t, "o"+body, said(t, do(rt, "PUT", "/server", body, "Authorization", ok)))
	require.Equal(t, "o"+body, said(t, do(rt, "PUT", "/server", body, "Authorization", ok, "Authorization", ok, "Authorization", "Bearer x")))
	requireError(t, do(rt, "PUT", "/server", body+"          ", "Authorization", ok), 413, "M_TOO_LARGE")
	for name, headers := range map[string][]string{
		"none":                   nil,
		"a token":                {"Authorization", "Bearer abc"},
		"a broken header":        {"Authorization", "X-Matrix origin=o"},
		"a wrong signature":      {"Authorization", `X-Matrix origin=o,key="ed25519:1",sig=wrong`},
		"two origins":            {"Authorization", ok, "Authorization", `X-Matrix origin="p",destination="d",key="ed25519:2",sig="s"`},
		"two destinations":       {"Authorization", ok, "Authorization", `X-Matrix origin="o",destination="e",key="ed25519:2",sig="s"`},
		"one broken among two":   {"Authorization", ok, "Authorization", `X-Matrix`},
		"more than anyone needs": {"Authorization", ok, "Authorization", ok, "Authorization", ok, "Authorization", ok, "Authorization", ok, "Authorization", ok, "Authorization", ok, "Authorization", ok, "Authorization", ok},
	} {
		requireError(t, do(rt, "PUT", "/server", body, headers...), 401, "M_UNAUTHORIZED", name)
	}
}
