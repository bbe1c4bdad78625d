// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Limits of request bodies, if the Config sets none.
const (
	// DefaultMaxBody is enough for the largest body in the specification: a federation
	// transaction of 50 PDUs and 100 EDUs of 65,536 bytes each.
	DefaultMaxBody = 10 << 20
	// DefaultMaxPublicBody is for operations without authentication.
	DefaultMaxPublicBody = 256 << 10
	// DefaultMaxUpload is for media.
	DefaultMaxUpload = 50 << 20
)

// Config is what a Router needs from the server. Its zero value serves public
// operations.
type Config struct {
	Auth Authenticators
	// Permit may refuse an operation to a user, whatever the request contains. It is
	// called after an AuthUser or AuthOptional caller is identified; nil permits
	// everything.
	Permit func(op *Operation, who Caller) error
	Checks Checks
	// Bounds limit how much one caller may use; nil sets no bounds except those below.
	Bounds Bounds
	// TrustedProxies are the addresses whose X-Forwarded-For is trusted.
	TrustedProxies []netip.Prefix

	// Aliases are additional path prefixes: an operation below a key is also served
	// below its value.
	Aliases map[string]string

	MaxBody       int64
	MaxPublicBody int64
	MaxUpload     int64
	// BodyDeadline returns when a body must have arrived. Without it, the HTTP server's
	// timeouts apply.
	BodyDeadline func(op *Operation) time.Time
	// WriteDeadline returns by when a client must have read the next piece of its
	// answer. Without it there is no deadline.
	WriteDeadline func() time.Time

	// Failure may convert an error that is not an *Error, and then logs it: for errors
	// that affect all requests, such as a failing database. If it returns nil, the
	// answer is a 500 without details.
	Failure func(ctx context.Context, err error) *Error

	Log       *slog.Logger
	RequestID func() string // makes request IDs; without it requests have none
	// Context puts a request's ID into the context, for log records of other packages.
	Context  func(ctx context.Context, requestID string) context.Context
	Boundary func() string    // separates the parts of multipart answers
	Now      func() time.Time // for durations
	Clock    func() time.Time // what time it is for clients
	// Observe is called for every answer; op is nil if no route matched.
	Observe func(op *Operation, status int, d time.Duration)
	// Served, if set, is called for every request that has an operation.
	Served func(Served)
}

// Checks are the hooks of the strict judge. Each costs one comparison when it
// is nil; an error that it returns is the answer.
type Checks struct {
	// Request judges a JSON body that its decoder accepts, and what else of the
	// request only it can judge. The violations have their settings.
	Request  func(x *Exchange, body []byte) []Violation
	Response func(op *Operation, status int, body []byte) error
	// Call looks at a request that has been read and not been handled yet, for
	// what its parameters show, and requests before it.
	Call func(x *Exchange) []Violation
	// Settle says what becomes of a violation, and by which section: it fills in
	// Setting, Section and, where there is none, Expected. op is nil where the
	// request has no operation. Without it nothing is found, and each rule that
	// can be let pass is enforced.
	Settle func(op *Operation, v *Violation)
	// Store is given each violation once, when the request is answered.
	Store func(Violation)
	// Tell: refusals list what was found in a member of their object.
	Tell bool
}

// Rules of requests whose setting may let a departure pass.
const (
	RuleContentTypeMissing = "content-type-missing"
	RuleContentTypeNotJSON = "content-type-not-json"
	RuleTokenInQuery       = "access-token-in-query"
	RuleDeprecated         = "operation-deprecated"
	RuleParameterUnknown   = "parameter-unknown"
	// A request that departs from one of these is refused, unless Settle is set and
	// allows it.
	RuleBodyMissing  = "body-missing"
	RuleQueryMissing = "query-missing"
)

// departs decides about a request that the specification does not allow: it returns the
// refusal, or nil if the departure is allowed.
func (x *Exchange) departs(rule string, where Where, expected string, refusal *Error) *Error {
	if x.router.cfg.Checks.Settle == nil {
		return refusal
	}
	v := Violation{Rule: rule, Where: where, Expected: expected, Found: "absent", ErrCode: refusal.ErrCode}
	probe := v
	x.router.cfg.Checks.Settle(x.Op, &probe)
	if probe.Setting != SettingEnforce {
		x.found(v)
		return nil
	}
	out := *refusal
	out.Violations = []Violation{v}
	return &out
}

// A Router finds the operation of a request and runs its handler. It answers every
// request with Matrix JSON and CORS headers, and never redirects.
type Router struct {
	cfg  Config
	root node
}

// NewRouter returns a Router without routes.
func NewRouter(cfg Config) *Router {
	if cfg.MaxBody == 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.MaxPublicBody == 0 {
		cfg.MaxPublicBody = DefaultMaxPublicBody
	}
	if cfg.MaxUpload == 0 {
		cfg.MaxUpload = DefaultMaxUpload
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Router{cfg: cfg}
}

// Add mounts an operation. It panics if two operations have one route and no condition
// distinguishes them, since that is a bug in our own code.
func (rt *Router) Add(op *Operation, h Handler) {
	if n := strings.Count(op.Path, "{"); n > maxParams {
		panic(fmt.Sprintf("api: %s has %d parameters", op.Path, n))
	}
	rt.mount(op.Path, op, h)
	for prefix, alias := range rt.cfg.Aliases {
		if rest, ok := strings.CutPrefix(op.Path, prefix); ok {
			rt.mount(alias+rest, op, h)
		}
	}
}

func (rt *Router) mount(path string, op *Operation, h Handler) {
	if short, ok := strings.CutSuffix(path, "/"+emptyLast); ok {
		rt.mount(short, op, h)
	}
	n := rt.root.add(path)
	for _, r := range n.ops {
		if r.op.Method == op.Method && r.op.When == op.When {
			panic(fmt.Sprintf("api: %s and %s both claim %s %s", r.op.ID, op.ID, op.Method, path))
		}
	}
	n.ops = append(n.ops, route{op, h})
	// An operation without a condition comes last.
	slices.SortStableFunc(n.ops, func(a, b route) int {
		switch {
		case a.op.When != "" && b.op.When == "":
			return -1
		case a.op.When == "" && b.op.When != "":
			return 1
		}
		return 0
	})
}

// ServeHTTP answers one request.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := recorderOf(w)
	allowOrigins(rec.Header(), r)
	if r.Method == http.MethodOptions {
		rec.WriteHeader(http.StatusNoContent)
		return
	}
	x := &Exchange{W: rec, R: r, rec: rec, router: rt}
	x.deadline()
	rec.x = x
	defer x.end()
	defer rt.tellServed(x)
	if err := rt.serve(x); err != nil {
		rt.fail(x, err)
	}
}

func (rt *Router) serve(x *Exchange) (err error) {
	handle, err := rt.match(x)
	if err != nil {
		return err
	}
	x.rec.serves(x.Op)
	ended, err := x.admit()
	if err != nil {
		return err
	}
	defer func() { ended(err) }()
	if err := handle(x.R.Context(), x); err != nil {
		return err
	}
	if x.rec.status == 0 {
		return errNoAnswer
	}
	return nil
}

// errNoAnswer is a bug in a handler: it returned neither an answer nor an error.
var errNoAnswer = errors.New("the handler has not answered")

// match finds the handler of a request.
func (rt *Router) match(x *Exchange) (Handler, error) {
	s := search{method: x.R.Method, params: &x.Params}
	n := rt.root.find(strings.TrimPrefix(rawPath(x.R), "/"), &s)
	switch {
	case n == nil && s.other == nil:
		return nil, Unrecognized("Unrecognized request")
	case n == nil:
		e := Errorf(http.StatusMethodNotAllowed, "M_UNRECOGNIZED", "Method not allowed")
		e.Header = map[string]string{"Allow": strings.Join(s.other.methods(), ", ")}
		return nil, e
	}
	r, err := x.choose(n.ops)
	if err != nil {
		return nil, err
	}
	x.Op, x.Params.op = r.op, r.op
	return r.handle, nil
}

// choose returns the operation of a request among those of a route. If no condition
// holds, it is the first, which then reports what is missing.
func (x *Exchange) choose(routes []route) (*route, error) {
	var first *route
	for i := range routes {
		r := &routes[i]
		if r.op.Method != x.R.Method {
			continue
		}
		ok, err := x.when(r.op)
		if err != nil || ok {
			return r, err
		}
		if first == nil {
			first = r
		}
	}
	return first, nil
}

// rawPath returns the path as it was sent. URL.EscapedPath re-encodes a path that
// net/url would have encoded differently, which turns %2F into a slash.
func rawPath(r *http.Request) string {
	if r.URL.RawPath != "" {
		return r.URL.RawPath
	}
	return r.URL.EscapedPath()
}
