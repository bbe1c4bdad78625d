// SPDX-License-Identifier: Apache-2.0

package touchstonetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/extraapi"
)

// A User is a person with one device, logged in.
type User struct {
	ID     string // @alice:localhost
	Device string
	Token  string // the access token
	server *Server
}

// NewUser says what kind of user to make.
type NewUser struct {
	Localpart   string
	Password    string // empty: nobody can log in with one
	DisplayName string // empty: the localpart
	Admin       bool
	Device      string // empty: the server chooses
}

// User makes an account without a password and logs it in.
func (s *Server) User(t T, localpart string) *User {
	t.Helper()
	return s.Create(t, NewUser{Localpart: localpart})[0]
}

// Users makes several accounts, as User does, all or none.
func (s *Server) Users(t T, localparts ...string) []*User {
	t.Helper()
	list := make([]NewUser, len(localparts))
	for i, name := range localparts {
		list[i].Localpart = name
	}
	return s.Create(t, list...)
}

// Create makes accounts and logs each in, all or none.
func (s *Server) Create(t T, users ...NewUser) []*User {
	t.Helper()
	req := &extraapi.CreateLabUsersRequest{Body: extraapi.CreateLabUsersBody{Count: api.Some(int64(0))}}
	for _, u := range users {
		req.Body.Users = append(req.Body.Users, extraapi.LabNewUser{
			Localpart: u.Localpart, Password: given(u.Password), DisplayName: given(u.DisplayName),
			Admin: api.Some(u.Admin), DeviceID: given(u.Device),
		})
	}
	made, err := s.lab().CreateLabUsers(t.Context(), req)
	if err != nil {
		fail(t, "make users", err)
	}
	list := make([]*User, len(made.Users))
	for i := range made.Users {
		list[i] = s.user(&made.Users[i])
	}
	return list
}

// Login gives a user another device, without a password. The server chooses the
// device's ID where it is empty.
func (s *Server) Login(t T, userID, device string) *User {
	t.Helper()
	user, err := id.ParseUserID(userID)
	if err != nil {
		fail(t, "log in", err)
	}
	got, err := s.lab().LoginLabUser(t.Context(), &extraapi.LoginLabUserRequest{
		UserID: user, Body: &extraapi.LoginLabUserBody{DeviceID: given(device)},
	})
	if err != nil {
		fail(t, "log "+userID+" in", err)
	}
	return s.user(got)
}

func (s *Server) user(l *extraapi.LabLogin) *User {
	return &User{ID: string(l.UserID), Device: l.DeviceID, Token: l.AccessToken, server: s}
}

func given(text string) api.Opt[string] { return api.Opt[string]{Value: text, Set: text != ""} }

// Client is an HTTP client whose requests carry the user's access token.
func (u *User) Client() *http.Client { return &http.Client{Transport: withToken{u.Token}} }

type withToken struct{ token string }

func (w withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+w.token)
	return http.DefaultTransport.RoundTrip(r)
}

// An Answer is what the server answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Decode reads the body into a value.
func (a *Answer) Decode(t T, into any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, into); err != nil {
		fail(t, fmt.Sprintf("read the answer %s", a), err)
	}
}

func (a *Answer) String() string { return fmt.Sprintf("%d %s", a.Status, a.Body) }

// Do makes a request as the user. A body that is a string is sent as it is,
// anything else as JSON, nil as none.
func (u *User) Do(t T, method, path string, body any) *Answer {
	t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = bytes.NewReader([]byte(b))
	default:
		text, err := json.Marshal(body)
		if err != nil {
			fail(t, "write the body", err)
		}
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, u.server.URL()+path, in)
	if err != nil {
		fail(t, method+" "+path, err)
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := u.Client().Do(r)
	if err != nil {
		fail(t, method+" "+path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		fail(t, method+" "+path, err)
	}
	return &Answer{Status: res.StatusCode, Header: res.Header, Body: text}
}
