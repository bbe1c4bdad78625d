// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"

	"touchstone.example/api"
	"touchstone.example/generated/extraapi"
	"touchstone.example/server/accounts"
)

// maxUsers bounds how many users one request makes.
const maxUsers = 10_000

// CreateLabUsers makes accounts and logs each in: those that are listed, or a
// number of users named after a prefix. All are made or none.
func (l *Lab) CreateLabUsers(ctx context.Context, req *extraapi.CreateLabUsersRequest) (*extraapi.CreateLabUsersResponse, error) {
	list, err := newAccounts(&req.Body)
	if err != nil {
		return nil, err
	}
	made, err := l.Host.Accounts().CreateAll(ctx, list)
	var bad accounts.BadAccount
	var refused *api.Error
	if errors.As(err, &bad) && errors.As(err, &refused) {
		e := *refused
		e.Msg = fmt.Sprintf("%s: %s", place(&req.Body, bad.Index), e.Msg)
		return nil, &e
	}
	if err != nil {
		return nil, err
	}
	out := &extraapi.CreateLabUsersResponse{Users: make([]extraapi.LabLogin, len(made))}
	for i, one := range made {
		out.Users[i] = login(one)
	}
	return out, nil
}

// place says which user of a request is meant.
func place(body *extraapi.CreateLabUsersBody, i int) string {
	if i < len(body.Users) {
		return fmt.Sprintf("/users/%d", i)
	}
	return fmt.Sprintf("user %d of /count", i-len(body.Users)+1)
}

func newAccounts(body *extraapi.CreateLabUsersBody) (list []accounts.NewAccount, err error) {
	count := body.Count.Value
	switch {
	case len(body.Users) == 0 && !body.Count.Set:
		return nil, api.BadJSON("At /users: expected a list of users to make, or their number in /count")
	case count < 0 || int64(len(body.Users))+count > maxUsers:
		return nil, api.BadJSON("At /count: expected a number between 0 and %d, the users of /users included", maxUsers)
	case body.Prefix.Set && !body.Count.Set:
		return nil, api.BadJSON("At /prefix: it begins the names of /count users, and there is no /count")
	}
	for _, u := range body.Users {
		list = append(list, accounts.NewAccount{
			Localpart: u.Localpart, Password: u.Password.Value, DisplayName: u.DisplayName.Value, Admin: u.Admin.Value,
			DeviceID: u.DeviceID, DeviceName: u.DeviceName,
		})
	}
	for i := range count {
		list = append(list, accounts.NewAccount{Localpart: fmt.Sprint(body.Prefix.Or("user-"), i+1)})
	}
	return list, nil
}

// LoginLabUser gives a device of a user an access token, without a password.
func (l *Lab) LoginLabUser(ctx context.Context, req *extraapi.LoginLabUserRequest) (*extraapi.LoginLabUserResponse, error) {
	var device, name api.Opt[string]
	if req.Body != nil {
		device, name = req.Body.DeviceID, req.Body.DeviceName
	}
	got, err := l.Host.Accounts().LogInAs(ctx, req.UserID, device, name)
	if err != nil {
		return nil, err
	}
	out := login(got)
	return &out, nil
}

func login(a accounts.Access) extraapi.LabLogin {
	return extraapi.LabLogin{UserID: a.User, DeviceID: string(a.Device), AccessToken: a.Token}
}
