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
	// When tells apart operations that share a route: "body:user_id" (the
	// body has this member) or "query:room_id". Empty otherwise.
	When string
}

// Name is the operation's id below its API's: clientapi.sendMessage.
func (op *Operation) Name() string { return op.API + "." + op.ID }

// Auth says who may call an operation.
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

// Caller is who makes a client-server request, as its access token says.
type Caller struct {
	User       id.UserID
	Device     id.DeviceID // empty for application services without one
	Token      int64       // the row of the access token; scopes transaction ids
	Guest      bool
	Admin      bool
	Locked     bool   // may do nothing but log out
	AppService string // id of the application service that speaks, if one does
}

// An Appender writes itself as JSON. Generated responses do so without
// reflection and copy stored events as they are.
type Appender interface {
	AppendJSON(b []byte) []byte
}

// A Responder is a success that is not one JSON object with status 200: media,
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
	caller  string   // whom the request names, once that is known
	sender  Sender   // the same for violations
	done    []func() // what to do when the exchange is over
	query   Query
	body    []byte
	bodyErr error
	read    bool
	router  *Router

	faults     *faults     // where the request is read again for all that is wrong with it
	violations []Violation // found so far
	announced  int         // how many of them have been told
}
