// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// ServeJSON makes the handler of an operation with a JSON answer: authenticate, read
// the request, call the method, answer. read may be nil.
func ServeJSON[W, Q any, R Appender](who func(*Exchange, context.Context) (W, error), read func(*Q, *Exchange) error, call func(context.Context, W, *Q) (R, error)) Handler {
	return func(ctx context.Context, x *Exchange) error {
		res, err := serve(ctx, x, who, read, call)
		if err != nil {
			return err
		}
		return x.Reply(http.StatusOK, res)
	}
}

// ServeResult is ServeJSON for operations with several kinds of answers.
func ServeResult[W, Q any, R Responder](who func(*Exchange, context.Context) (W, error), read func(*Q, *Exchange) error, call func(context.Context, W, *Q) (R, error)) Handler {
	return func(ctx context.Context, x *Exchange) error {
		res, err := serve(ctx, x, who, read, call)
		if err != nil {
			return err
		}
		return res.Respond(x)
	}
}

func serve[W, Q, R any](ctx context.Context, x *Exchange, who func(*Exchange, context.Context) (W, error), read func(*Q, *Exchange) error, call func(context.Context, W, *Q) (R, error)) (res R, err error) {
	if x.Op.Auth == AuthNone {
		ctx = withAddress(ctx, x.R)
	}
	caller, err := who(x, ctx)
	if err != nil {
		return res, err
	}
	req := new(Q)
	if read != nil {
		if err := read(req, x); err != nil {
			return res, x.all(err, func() error { return read(new(Q), x) })
		}
	}
	if err := x.called(); err != nil {
		return res, err
	}
	if err := x.turn(ctx); err != nil {
		return res, err
	}
	return call(x.reporting(ctx), caller, req)
}

// ServeUnfinished makes the handler of an operation that is not implemented yet. It
// authenticates and reads the request like ServeJSON, so that an invalid request
// already gets its final answer.
func ServeUnfinished[W, Q any](who func(*Exchange, context.Context) (W, error), read func(*Q, *Exchange) error) Handler {
	return func(ctx context.Context, x *Exchange) error {
		_, err := serve(ctx, x, who, read, func(context.Context, W, *Q) (struct{}, error) {
			return struct{}{}, Unfinished()
		})
		return err
	}
}

// ReadNothing reads a request that has no input.
func ReadNothing(*struct{}, *Exchange) error { return nil }

// Serves reports whether a generated interface has an implementation. It panics for a
// nil pointer in the interface, so that this mistake shows at start and not with the
// first request.
func Serves(server any, name string) bool {
	if server == nil {
		return false
	}
	if v := reflect.ValueOf(server); v.Kind() == reflect.Pointer && v.IsNil() {
		panic(fmt.Sprintf("api: %s is mounted with a nil %T", name, server))
	}
	return true
}

// Nobody is the caller of a public operation.
func Nobody(*Exchange, context.Context) (struct{}, error) { return struct{}{}, nil }

// AnyHomeserver is the caller of an operation of the application-service API.
func AnyHomeserver(x *Exchange, ctx context.Context) (struct{}, error) {
	return struct{}{}, x.Homeserver(ctx)
}

// Anyone adapts a method without a caller parameter.
func Anyone[Q, R any](call func(context.Context, *Q) (R, error)) func(context.Context, struct{}, *Q) (R, error) {
	return func(ctx context.Context, _ struct{}, req *Q) (R, error) { return call(ctx, req) }
}

// Into returns the destination for Body, if the body is not a generated struct.
func Into[T any](v *T, read func(*T, *jsontext.Decoder) error) any { return &into[T]{v, read} }

type into[T any] struct {
	v    *T
	read func(*T, *jsontext.Decoder) error
}

func (i *into[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error { return i.read(i.v, dec) }

// OptionalBody reads a body that may be absent; then v is nil.
func OptionalBody[T any](x *Exchange, v **T) error {
	body, err := x.RawBody()
	if err != nil || len(body) == 0 {
		return err
	}
	*v = new(T)
	return x.Body(*v, true)
}

// Header reads an optional header field.
func Header(x *Exchange, name string) (o Opt[string]) {
	if vs := x.R.Header[http.CanonicalHeaderKey(name)]; len(vs) > 0 {
		o = Some(vs[0])
	}
	return o
}

// Media is an answer of bytes with a type. If Body can be closed, it is closed after it
// was sent.
type Media struct {
	ContentType        string
	ContentDisposition string // left out when empty
	Size               int64  // left out when 0
	Body               io.Reader
}

// Respond sends the media.
func (m *Media) Respond(x *Exchange) error {
	if m.ContentDisposition != "" {
		x.W.Header().Set("Content-Disposition", m.ContentDisposition)
	}
	size := m.Size
	if size == 0 {
		size = -1
	}
	return x.Send(http.StatusOK, m.ContentType, size, m.Body)
}

// Redirection is a redirect.
type Redirection struct {
	Status   int // 0 for the first that the operation declares
	Location string
}

// Respond redirects.
func (r *Redirection) Respond(x *Exchange) error {
	status := r.Status
	for _, s := range x.Op.Statuses {
		if status == 0 && s >= 300 && s < 400 {
			status = s
		}
	}
	if status == http.StatusMultipleChoices { // stands for any 3XX
		status = http.StatusFound
	}
	return x.Redirect(status, r.Location)
}

// FederatedMedia is media between servers: a part with metadata, and a part with the
// bytes or with a redirect.
//
// Spec: server-server "Content Repository".
type FederatedMedia struct {
	Metadata Raw    // an object; nothing yet defines members of it
	Location string // instead of Media
	Media
}

// Respond sends both parts.
func (m *FederatedMedia) Respond(x *Exchange) error {
	second := Part{Header: textproto.MIMEHeader{}, Body: m.Body}
	if m.Location != "" {
		second.Header.Set("Location", m.Location)
		second.Body = strings.NewReader("")
	} else {
		second.Header.Set("Content-Type", m.ContentType)
		if m.ContentDisposition != "" {
			second.Header.Set("Content-Disposition", m.ContentDisposition)
		}
	}
	first := Part{
		Header: textproto.MIMEHeader{"Content-Type": {"application/json"}},
		Body:   strings.NewReader(string(AppendObject(nil, m.Metadata))),
	}
	return x.SendMultipart(http.StatusOK, first, second)
}
