// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"

	"touchstone.example/api/id"
)

// An Operation is one row of the generated table (package ops).
type Operation struct {
	API         string // clientapi, fedapi, asapi, identityapi, pushapi, extraapi
	ID          string // the specification's operationId
	Method      string
	Path        string // with {parameter} segments
	File        string // the spec file that defines it, without .yaml
	Auth        Auth
	RateLimited bool
	Deprecated  bool
	Added       string // Matrix version, empty if always there
	Statuses    []int  // declared statuses; 300 and 400 stand for 3XX and 4XX
	// When distinguishes operations on one route: "body:user_id" (the body has this
	// member) or "query:room_id". Empty otherwise.
	When string
}

// Name is the API and the operation's ID: clientapi.sendMessage.
func (op *Operation) Name() string { return op.API + "." + op.ID }

// Auth is the kind of authentication of an operation.
type Auth uint8

const (
	AuthNone       Auth = iota
	AuthOptional        // an access token, or none
	AuthUser            // an access token
	AuthAppService      // an application service's as_token
	AuthServer          // a request signed by a server
	AuthHomeserver      // a homeserver's hs_token (application-service API)
	AuthIdentity        // an identity server's token (identity API)
)

// Caller is the caller of a client-server request, by its access token.
type Caller struct {
	User       id.UserID
	Device     id.DeviceID // empty for an application service without a device
	Token      int64       // the row of the access token; scopes transaction ids
	Guest      bool
	Admin      bool
	Locked     bool   // may only log out
	AppService string // ID of the calling application service, if it is one
}

// An Appender writes itself as JSON. Generated responses do so without
// reflection and copy stored events as they are.
type Appender interface {
	AppendJSON(b []byte) []byte
}

// A Responder is a successful answer other than a JSON object with status 200: media,
// redirects, other statuses. It has the shape of go-openapi's Responder.
type Responder interface {
	Respond(x *Exchange) error
}

// A Handler serves one operation: generated code that authenticates, decodes,
// validates, calls the hand-written method and encodes its answer.
type Handler func(ctx context.Context, x *Exchange) error

// An Exchange is one request and its answer, as a generated handler sees them.
type Exchange struct {
	W      http.ResponseWriter
	R      *http.Request
	Op     *Operation
	Params Params

	rec     *recorder
	caller  string   // the caller, when known
	sender  Sender   // the same for violations
	done    []func() // functions to call when the exchange is over
	query   Query
	body    []byte
	bodyErr error
	read    bool
	router  *Router

	faults     *faults     // set while the request is read again for all its faults
	violations []Violation // found so far
	announced  int         // how many of them are reported
}
