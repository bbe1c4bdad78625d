// SPDX-License-Identifier: Apache-2.0

package touchstone

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const labPath = "/_touchstone/lab/v1/"

// Error is what the server says about a request to its control plane that it
// refuses.
type Error struct {
	Status  int    `json:"-"`
	ErrCode string `json:"errcode"`
	Msg     string `json:"error"`
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.ErrCode, e.Msg) }

// call makes a request to the control plane. A *[]byte takes the answer as it is.
func (c *Container) call(ctx context.Context, method, path string, body, answer any) error {
	base, err := c.LabURL(ctx)
	if err != nil {
		return err
	}
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, base+labPath+path, in)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		refused := &Error{Status: res.StatusCode}
		if json.Unmarshal(text, refused) != nil || refused.ErrCode == "" {
			refused.Msg = string(text)
		}
		return refused
	}
	switch into := answer.(type) {
	case nil:
		return nil
	case *[]byte:
		*into = text
		return nil
	}
	return json.Unmarshal(text, answer)
}

// User is a person with one device, logged in.
type User struct {
	ID          string `json:"user_id"`
	DeviceID    string `json:"device_id"`
	AccessToken string `json:"access_token"`
}

// NewUser says what kind of user to make.
type NewUser struct {
	Localpart   string `json:"localpart"`
	Password    string `json:"password,omitempty"`     // empty: nobody can log in with one
	DisplayName string `json:"display_name,omitempty"` // empty: the localpart
	Admin       bool   `json:"admin,omitempty"`
	DeviceID    string `json:"device_id,omitempty"` // empty: the server chooses
}

// CreateUser makes an account without a password and logs it in.
func (c *Container) CreateUser(ctx context.Context, localpart string) (User, error) {
	made, err := c.CreateUsers(ctx, NewUser{Localpart: localpart})
	if err != nil {
		return User{}, err
	}
	return made[0], nil
}

// CreateUsers makes accounts and logs each in, all or none.
func (c *Container) CreateUsers(ctx context.Context, users ...NewUser) ([]User, error) {
	var out struct {
		Users []User `json:"users"`
	}
	if err := c.call(ctx, http.MethodPost, "users", map[string]any{"users": users, "count": 0}, &out); err != nil {
		return nil, fmt.Errorf("create users: %w", err)
	}
	return out.Users, nil
}

// Login gives a user another device, without a password. The server chooses the
// device's ID where it is empty.
func (c *Container) Login(ctx context.Context, userID, deviceID string) (u User, err error) {
	body := map[string]any{}
	if deviceID != "" {
		body["device_id"] = deviceID
	}
	if err = c.call(ctx, http.MethodPost, "users/"+url.PathEscape(userID)+"/login", body, &u); err != nil {
		return u, fmt.Errorf("log %s in: %w", userID, err)
	}
	return u, nil
}

// Reset puts a new, empty server behind the same URLs. Snapshots stay.
func (c *Container) Reset(ctx context.Context) error {
	if err := c.call(ctx, http.MethodPost, "reset", nil, nil); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return nil
}

// Snapshot keeps the server as it is under a name.
func (c *Container) Snapshot(ctx context.Context, name string) error {
	if err := c.call(ctx, http.MethodPut, "snapshots/"+url.PathEscape(name), nil, nil); err != nil {
		return fmt.Errorf("snapshot %s: %w", name, err)
	}
	return nil
}

// Restore puts the server back to where it was at a snapshot.
func (c *Container) Restore(ctx context.Context, name string) error {
	if err := c.call(ctx, http.MethodPost, "snapshots/"+url.PathEscape(name)+"/restore", nil, nil); err != nil {
		return fmt.Errorf("restore %s: %w", name, err)
	}
	return nil
}

// DeleteSnapshot removes a snapshot.
func (c *Container) DeleteSnapshot(ctx context.Context, name string) error {
	if err := c.call(ctx, http.MethodDelete, "snapshots/"+url.PathEscape(name), nil, nil); err != nil {
		return fmt.Errorf("delete snapshot %s: %w", name, err)
	}
	return nil
}

// Snapshots are the names of those that there are.
func (c *Container) Snapshots(ctx context.Context) ([]string, error) {
	var out struct {
		Snapshots []struct {
			Name string `json:"name"`
		} `json:"snapshots"`
	}
	if err := c.call(ctx, http.MethodGet, "snapshots", nil, &out); err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	names := make([]string, len(out.Snapshots))
	for i, s := range out.Snapshots {
		names[i] = s.Name
	}
	return names, nil
}

// Clock is the clock that clients see, as it was when it was asked for.
type Clock struct {
	Now     time.Time `json:"now"`
	Running bool      `json:"running"`
}

// Clock returns what time it is for clients.
func (c *Container) Clock(ctx context.Context) (Clock, error) {
	return c.clock(ctx, http.MethodGet, "clock", nil)
}

// SetClock sets the clock, also back.
func (c *Container) SetClock(ctx context.Context, at time.Time) (Clock, error) {
	return c.clock(ctx, http.MethodPut, "clock", map[string]any{"now_ts": at.UnixMilli()})
}

// AdvanceClock moves the clock forward, by whole milliseconds. Long polls whose
// time is up by then are answered.
func (c *Container) AdvanceClock(ctx context.Context, d time.Duration) (Clock, error) {
	return c.clock(ctx, http.MethodPost, "clock/advance", map[string]any{"ms": d.Milliseconds()})
}

// FreezeClock stops the clock, RunClock lets it run on.
func (c *Container) FreezeClock(ctx context.Context) (Clock, error) {
	return c.clock(ctx, http.MethodPut, "clock", map[string]any{"running": false})
}

func (c *Container) RunClock(ctx context.Context) (Clock, error) {
	return c.clock(ctx, http.MethodPut, "clock", map[string]any{"running": true})
}

func (c *Container) clock(ctx context.Context, method, path string, body any) (out Clock, err error) {
	if err = c.call(ctx, method, path, body, &out); err != nil {
		return out, fmt.Errorf("clock: %w", err)
	}
	return out, nil
}

// Idle waits until the server has done what requests have caused to happen in the
// background.
func (c *Container) Idle(ctx context.Context) error {
	if err := c.call(ctx, http.MethodGet, "idle", nil, nil); err != nil {
		return fmt.Errorf("wait until it is idle: %w", err)
	}
	return nil
}

// Violation is one thing that a client did against the specification.
type Violation struct {
	Seq       int64  `json:"seq"` // in the order of their discovery
	Rule      string `json:"rule"`
	Setting   string `json:"setting"`   // enforce: it was refused; report: it was served all the same
	Operation string `json:"operation"` // clientapi.sendMessage
	Event     string `json:"event"`     // the type of the event, where it is about one
	ErrCode   string `json:"errcode"`
	Where     struct {
		In      string `json:"in"`      // body, path, query, header or request
		Pointer string `json:"pointer"` // into the body
		Name    string `json:"name"`    // of a parameter or header
	} `json:"where"`
	Expected string `json:"expected"`
	Found    string `json:"found"` // its type and shape, never the value
	Hint     string `json:"hint"`  // what is usually behind it
	Section  string `json:"section"`
	Who      struct {
		User   string `json:"user"`
		Device string `json:"device"`
	} `json:"who"`
	Time    int64  `json:"time"`
	Request string `json:"request"` // as the answer's Request-Id has it
}

// String says everything in one line.
func (v Violation) String() string {
	where := v.Where.Pointer
	if where == "" {
		where = v.Where.Name
	}
	s := fmt.Sprintf("%s, %s: expected %s", v.Operation, where, v.Expected)
	if v.Found != "" {
		s += ", found " + v.Found
	}
	if v.Hint != "" {
		s += " (" + v.Hint + ")"
	}
	return fmt.Sprintf("%s (rule %s, see %s)", s, v.Rule, v.Section)
}

// Filter selects violations: those that match every field that is set.
type Filter struct {
	User      string
	DeviceID  string
	Operation string
	Rule      string
	Since     int64 // after this Seq
}

func (f Filter) query() string {
	q := url.Values{}
	for name, value := range map[string]string{"user": f.User, "device": f.DeviceID, "operation": f.Operation, "rule": f.Rule} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Since > 0 {
		q.Set("since", strconv.FormatInt(f.Since, 10))
	}
	return "?" + q.Encode()
}

// Violations lists what clients did against the specification, oldest first.
func (c *Container) Violations(ctx context.Context, f Filter) ([]Violation, error) {
	var out struct {
		Violations []Violation `json:"violations"`
	}
	if err := c.call(ctx, http.MethodGet, "violations"+f.query(), nil, &out); err != nil {
		return nil, fmt.Errorf("list violations: %w", err)
	}
	return out.Violations, nil
}

// ClearViolations forgets those that a filter selects.
func (c *Container) ClearViolations(ctx context.Context, f Filter) error {
	if err := c.call(ctx, http.MethodDelete, "violations"+f.query(), nil, nil); err != nil {
		return fmt.Errorf("clear violations: %w", err)
	}
	return nil
}

// JUnit is the list of violations as test results, in JUnit's XML.
func (c *Container) JUnit(ctx context.Context, f Filter) (text []byte, err error) {
	if err = c.call(ctx, http.MethodGet, "violations/junit"+f.query(), nil, &text); err != nil {
		return nil, fmt.Errorf("list violations: %w", err)
	}
	return text, nil
}

// SARIF is the list of violations in SARIF 2.1.0.
func (c *Container) SARIF(ctx context.Context, f Filter) (text []byte, err error) {
	if err = c.call(ctx, http.MethodGet, "violations/sarif"+f.query(), nil, &text); err != nil {
		return nil, fmt.Errorf("list violations: %w", err)
	}
	return text, nil
}
