// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"net/http"

	"github.com/stretchr/testify/require"
)

// Password is every test user's.
const Password = "correct horse battery staple"

// O is a JSON object in a test.
type O map[string]any

// A User is a person with one device, logged in.
type User struct {
	Server *Server
	ID     string
	Device string
	Token  string
}

// Register makes an account with exactly this localpart.
func (s *Server) Register(t T, localpart string) *User {
	t.Helper()
	body := O{"username": localpart, "password": Password}
	r := Request{Method: http.MethodPost, Path: Path("v3/register"), Body: body}
	first := s.Do(t, r)
	require.Equal(t, http.StatusUnauthorized, first.Status, "register asks for authentication: %s", first)
	body["auth"] = O{"type": "m.login.dummy", "session": first.JSON().At("session")}
	done := s.Do(t, r)
	require.Equal(t, http.StatusOK, done.Status, "register: %s", done)
	return s.userOf(done)
}

// Guest makes a guest's account.
func (s *Server) Guest(t T) *User {
	t.Helper()
	done := s.Do(t, Request{Method: http.MethodPost, Path: Path("v3/register") + "?kind=guest", Body: O{}})
	require.Equal(t, http.StatusOK, done.Status, "register a guest: %s", done)
	return s.userOf(done)
}

// User registers an account whose localpart begins with this name and is unique.
func (s *Server) User(t T, name string) *User {
	t.Helper()
	return s.Register(t, s.Unique(name))
}

// Users makes several accounts.
func (s *Server) Users(t T, names ...string) []*User {
	t.Helper()
	users := make([]*User, len(names))
	for i, name := range names {
		users[i] = s.User(t, name)
	}
	return users
}

// Login gives the user another device, or the one named.
func (u *User) Login(t T, device string) *User {
	t.Helper()
	body := O{"type": "m.login.password", "password": Password, "identifier": O{"type": "m.id.user", "user": u.ID}}
	if device != "" {
		body["device_id"] = device
	}
	a := u.Server.Do(t, Request{Method: http.MethodPost, Path: Path("v3/login"), Body: body})
	require.Equal(t, http.StatusOK, a.Status, "login: %s", a)
	return u.Server.userOf(a)
}

func (s *Server) userOf(a *Answer) *User {
	v := a.JSON()
	return &User{Server: s, ID: v.At("user_id").String(), Device: v.At("device_id").String(), Token: v.At("access_token").String()}
}

// On is the same user and token, by way of another server on the database.
func (u *User) On(s *Server) *User {
	other := *u
	other.Server = s
	return &other
}

// Do sends a request with the user's token.
func (u *User) Do(t T, method, path string, body any) *Answer {
	t.Helper()
	return u.Server.Do(t, Request{Method: method, Path: path, Token: u.Token, Body: body})
}

// Try is Do for requests that may not be answered at all.
func (u *User) Try(ctx context.Context, method, path string, body any) (*Answer, error) {
	return u.Server.Try(ctx, Request{Method: method, Path: path, Token: u.Token, Body: body})
}

// Get, Put, Post and Delete expect success and return the answer.
func (u *User) Get(t T, path string) Value {
	t.Helper()
	return u.success(t, http.MethodGet, path, nil)
}

func (u *User) Put(t T, path string, body any) Value {
	t.Helper()
	return u.success(t, http.MethodPut, path, body)
}

func (u *User) Post(t T, path string, body any) Value {
	t.Helper()
	return u.success(t, http.MethodPost, path, body)
}

func (u *User) Delete(t T, path string, body any) Value {
	t.Helper()
	return u.success(t, http.MethodDelete, path, body)
}

func (u *User) success(t T, method, path string, body any) Value {
	t.Helper()
	a := u.Do(t, method, path, body)
	require.Equal(t, http.StatusOK, a.Status, "%s %s: %s", method, path, a)
	return a.JSON()
}

// Fails expects an error.
func (u *User) Fails(t T, status int, errcode, method, path string, body any) Value {
	t.Helper()
	a := u.Do(t, method, path, body)
	require.Equal(t, status, a.Status, "%s %s: %s", method, path, a)
	require.Equal(t, errcode, a.JSON().At("errcode").String(), "%s %s: %s", method, path, a)
	return a.JSON()
}
