// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Doer sends one request and returns the whole answer. It knows the destination,
// signs or adds a token, and bounds time and size. path is escaped and has no query. An
// answer with an error status is not an error of the Doer.
type Doer interface {
	Do(ctx context.Context, method, path string, query url.Values, header http.Header, body []byte) (status int, answer http.Header, answerBody []byte, err error)
}

// Outgoing is a request that a generated client is making.
type Outgoing struct {
	Params []string // of the path, in order
	Query  url.Values
	Header http.Header
	Body   []byte
}

// Incoming is the successful answer to it.
type Incoming struct {
	Op     *Operation
	Status int
	Header http.Header
	Body   []byte
}

// Call makes a request and returns its successful answer. Any other answer becomes an
// *Error with its status and error object, as far as it has one; that of
// user-interactive authentication has no errcode. write may be nil.
func Call(ctx context.Context, d Doer, op *Operation, write func(*Outgoing) error) (*Incoming, error) {
	out := Outgoing{Query: url.Values{}, Header: http.Header{}}
	if write != nil {
		if err := write(&out); err != nil {
			return nil, err
		}
	}
	if out.Body != nil && out.Header.Get("Content-Type") == "" {
		out.Header.Set("Content-Type", "application/json")
	}
	status, header, body, err := d.Do(ctx, op.Method, fillPath(op.Path, out.Params), out.Query, out.Header, out.Body)
	if err != nil {
		return nil, err
	}
	if status < 200 || status >= 400 {
		return nil, readErrorObject(status, header, body)
	}
	return &Incoming{op, status, header, body}, nil
}

// CallJSON makes a request whose successful answer is one JSON value.
func CallJSON[T any, P interface {
	*T
	json.UnmarshalerFrom
}](ctx context.Context, d Doer, op *Operation, write func(*Outgoing) error) (*T, error) {
	in, err := Call(ctx, d, op, write)
	if err != nil {
		return nil, err
	}
	v := new(T)
	if err := in.Decode(P(v)); err != nil {
		return nil, err
	}
	return v, nil
}

// fillPath puts escaped parameters into a path.
func fillPath(path string, params []string) string {
	var b strings.Builder
	for i, seg := range strings.Split(path, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		if strings.HasPrefix(seg, "{") && len(params) > 0 {
			seg, params = url.PathEscape(params[0]), params[1:]
		}
		b.WriteString(seg)
	}
	return b.String()
}

// readErrorObject converts an error answer to an *Error.
func readErrorObject(status int, header http.Header, body []byte) *Error {
	e := &Error{Status: status}
	var members map[string]Raw
	if json.Unmarshal(body, &members, jsontext.AllowDuplicateNames(true)) == nil {
		for name, raw := range members {
			var v any
			if json.Unmarshal(raw, &v) != nil {
				continue
			}
			text, isText := v.(string)
			switch {
			case name == "errcode" && isText:
				e.ErrCode = text
			case name == "error" && isText:
				e.Msg = text
			default:
				if e.Extra == nil {
					e.Extra = map[string]any{}
				}
				e.Extra[name] = v
			}
		}
	}
	if len(members) == 0 {
		e.ErrCode, e.Msg = "M_UNKNOWN", http.StatusText(status)
	}
	if after := header.Get("Retry-After"); after != "" {
		e.Header = map[string]string{"Retry-After": after}
	}
	return e
}

// Decode reads the answer's JSON.
func (in *Incoming) Decode(v any) error {
	if err := decode(in.Body, v); err != nil {
		return fmt.Errorf("the answer to %s: %w", in.Op.ID, err)
	}
	return nil
}

// Unexpected is the error for a status that the operation does not declare.
func (in *Incoming) Unexpected() error {
	return fmt.Errorf("the answer to %s has the status %d", in.Op.ID, in.Status)
}

// Redirection reads a redirect.
func (in *Incoming) Redirection() Redirection {
	return Redirection{Status: in.Status, Location: in.Header.Get("Location")}
}

// Media reads an answer that is bytes.
func (in *Incoming) Media() Media {
	return Media{
		ContentType:        in.Header.Get("Content-Type"),
		ContentDisposition: in.Header.Get("Content-Disposition"),
		Size:               int64(len(in.Body)),
		Body:               bytes.NewReader(in.Body),
	}
}

// FederatedMedia reads both parts of an answer between servers.
func (in *Incoming) FederatedMedia() (m FederatedMedia, err error) {
	_, params, err := mime.ParseMediaType(in.Header.Get("Content-Type"))
	if err != nil {
		return m, fmt.Errorf("the answer to %s: %w", in.Op.ID, err)
	}
	parts := multipart.NewReader(bytes.NewReader(in.Body), params["boundary"])
	for i := range 2 {
		part, err := parts.NextRawPart()
		if err != nil {
			return m, fmt.Errorf("part %d of the answer to %s: %w", i+1, in.Op.ID, err)
		}
		body, err := io.ReadAll(part)
		if err != nil {
			return m, fmt.Errorf("part %d of the answer to %s: %w", i+1, in.Op.ID, err)
		}
		if i == 0 {
			m.Metadata = body
			continue
		}
		m.Location = part.Header.Get("Location")
		m.ContentType = part.Header.Get("Content-Type")
		m.ContentDisposition = part.Header.Get("Content-Disposition")
		m.Size, m.Body = int64(len(body)), bytes.NewReader(body)
	}
	return m, nil
}

// ReadBody reads a body of bytes. Their type is that of the header, empty if it has
// none.
func (o *Outgoing) ReadBody(r io.Reader) (err error) {
	if o.Header.Get("Content-Type") == "" {
		o.Header.Set("Content-Type", "application/octet-stream")
	}
	o.Body = []byte{}
	if r != nil {
		o.Body, err = io.ReadAll(r)
	}
	return err
}

// SetHeader sets a header field.
func (o *Outgoing) SetHeader(name string, v Opt[string]) {
	if v.Set {
		o.Header.Set(name, v.Value)
	}
}

// SetInt sets a query parameter.
func (o *Outgoing) SetInt(name string, v Opt[int64]) {
	if v.Set {
		o.Query.Set(name, strconv.FormatInt(v.Value, 10))
	}
}

// SetFloat sets a query parameter.
func (o *Outgoing) SetFloat(name string, v Opt[float64]) {
	if v.Set {
		o.Query.Set(name, strconv.FormatFloat(v.Value, 'g', -1, 64))
	}
}

// SetBool sets a query parameter.
func (o *Outgoing) SetBool(name string, v Opt[bool]) {
	if v.Set {
		o.Query.Set(name, strconv.FormatBool(v.Value))
	}
}

// SetAll sets a query parameter for every member of m.
func (o *Outgoing) SetAll(m map[string]string) {
	for name, v := range m {
		o.Query.Set(name, v)
	}
}

// SetString sets a query parameter.
func SetString[T ~string](o *Outgoing, name string, v Opt[T]) {
	if v.Set {
		o.Query.Set(name, string(v.Value))
	}
}

// SetStrings sets a query parameter that may be repeated.
func SetStrings[T ~string](o *Outgoing, name string, list []T) {
	for _, v := range list {
		o.Query.Add(name, string(v))
	}
}
