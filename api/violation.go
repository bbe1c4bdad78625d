// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// A Violation is one departure of a request, an answer or an event from the
// specification, found by decoders, schema checks or rules of behaviour. It has types
// and shapes but never a value, which may be a secret or private.
type Violation struct {
	Seq       int64     `json:"seq,omitzero"` // in the order in which they were stored, from 1
	Rule      string    `json:"rule"`
	Setting   Setting   `json:"setting"` // enforce: it was refused; report: it was served
	Direction Direction `json:"direction"`
	Operation string    `json:"operation,omitzero"` // its API and id: clientapi.sendMessage
	Event     string    `json:"event,omitzero"`     // the type of the checked event
	Status    int       `json:"status,omitzero"`    // of an answer
	ErrCode   string    `json:"errcode,omitzero"`   // the errcode of its refusal
	Where     Where     `json:"where"`
	Expected  string    `json:"expected"`
	Found     string    `json:"found,omitzero"`   // its type and shape: "string of 12 characters"
	Hint      string    `json:"hint,omitzero"`    // the usual cause
	Keyword   string    `json:"keyword,omitzero"` // of JSON Schema
	Schema    string    `json:"schema,omitzero"`  // the place of the keyword
	Section   string    `json:"section"`          // URL of the section that requires it
	Who       Sender    `json:"who,omitzero"`     // sent the request
	Time      int64     `json:"time"`             // in milliseconds, by the server's clock
	Request   string    `json:"request,omitzero"` // the request's ID, as in Request-Id
}

// A Direction says where the checked bytes came from.
type Direction string

const (
	DirectionRequest Direction = "request" // a request to this server
	DirectionAnswer  Direction = "answer"  // an answer of this server
	DirectionEvent   Direction = "event"   // an event of another server
)

// A Sender is the sender of a request, by its token or signature. The zero Sender is an
// unknown one.
type Sender struct {
	User    string `json:"user,omitzero"`
	Device  string `json:"device,omitzero"`
	Service string `json:"service,omitzero"` // the id of an application service
	Server  string `json:"server,omitzero"`
}

// String names the sender in a line of text.
func (s Sender) String() string {
	switch {
	case s.Server != "":
		return s.Server
	case s.Service != "":
		return strings.TrimSpace(s.Service + " " + s.User)
	case s.Device != "":
		return s.User + " " + s.Device
	}
	return s.User
}

// Where is the place of a violation: In is body, path, query, header or
// request. A place in a body has a Pointer (RFC 6901), any other a Name.
// The body as a whole, whose pointer is empty, is written "the body".
type Where struct {
	In      string
	Pointer string
	Name    string
}

// InBody is a place in a body.
func InBody(pointer string) Where { return Where{In: "body", Pointer: pointer} }

// InQuery is a query parameter.
func InQuery(name string) Where { return Where{In: "query", Name: name} }

// InPath is a path parameter.
func InPath(name string) Where { return Where{In: "path", Name: name} }

// InHeader is a header field.
func InHeader(name string) Where { return Where{In: "header", Name: name} }

// InRequest is the request as a whole: no single part of it is wrong.
func InRequest() Where { return Where{In: "request"} }

// String names the place in a line of text.
func (w Where) String() string {
	switch w.In {
	case "body":
		if w.Pointer == "" {
			return theBody
		}
		return w.Pointer
	case "path", "query":
		return fmt.Sprintf("%s parameter %q", w.In, w.Name)
	case "header":
		return "header " + w.Name
	}
	return theRequest
}

const theBody, theRequest = "the body", "the request"

// wireWhere is the JSON form of a place.
type wireWhere struct {
	In      string `json:"in"`
	Pointer string `json:"pointer,omitzero"`
	Name    string `json:"name,omitzero"`
}

// MarshalJSON names the root, whose pointer is empty: {"in":"body","name":"the body"}.
func (w Where) MarshalJSON() ([]byte, error) {
	out := wireWhere(w)
	switch {
	case w.In == "body" && w.Pointer == "":
		out.Name = theBody
	case w.In == "request" || w.In == "":
		out.In, out.Name = "request", theRequest
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (w *Where) UnmarshalJSON(b []byte) error {
	var in wireWhere
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*w = Where(in)
	if w.In == "body" || w.In == "request" {
		w.Name = ""
	}
	return nil
}

// Error says everything in one line.
func (v *Violation) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", v.Operation, v.Direction)
	if v.Event != "" {
		fmt.Fprintf(&b, " %s", v.Event)
	}
	if v.Status != 0 {
		fmt.Fprintf(&b, " %d", v.Status)
	}
	fmt.Fprintf(&b, " at %s: %s (rule %s, see %s)", v.Where, v.Says(), v.Rule, v.Section)
	return b.String()
}

// Says returns what was expected, what was found, and the usual cause.
func (v *Violation) Says() string {
	s := "expected " + v.Expected
	if v.Found != "" {
		s += ", found " + v.Found
	}
	if v.Hint != "" {
		s += " (" + v.Hint + ")"
	}
	return s
}

// RuleID names the rule, for the log.
func (v *Violation) RuleID() string { return v.Rule }

// A Setting is what happens to a violation of a rule.
type Setting uint8

const (
	SettingOff     Setting = iota // nobody looks
	SettingReport                 // it is recorded
	SettingEnforce                // it is recorded, and the request is refused
	// SettingNote is for refusals that are no departure from the specification, such as
	// 404. It names the rule in the answer and the log; it is not stored, and no rule
	// can be set to it.
	SettingNote
)

var settingNames = [...]string{"off", "report", "enforce", "note"}

// weight orders violations in an answer: first the enforced ones, then notes, then the
// reported ones.
func (s Setting) weight() int { return [...]int{0, 1, 3, 2}[s] }

func (s Setting) String() string { return settingNames[s] }

// MarshalText writes the setting's name.
func (s Setting) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the setting's name.
func (s *Setting) UnmarshalText(text []byte) error {
	i := slices.Index(settingNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("%q is none of %s", text, strings.Join(settingNames[:], ", "))
	}
	*s = Setting(i)
	return nil
}
