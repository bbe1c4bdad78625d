// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deeply the arrays and objects of a request may nest.
const MaxDepth = 128

// Body decodes the JSON body into dst, a pointer to a generated type or to a Raw. If
// the body is optional and absent, dst is not changed.
//
// M_NOT_JSON is for errors of syntax (RFC 8259) and for what RFC 7493 excludes: bytes
// that are not UTF-8, lone surrogates and repeated members. M_BAD_JSON is for valid
// JSON that the operation does not accept: a member that is missing or has a wrong type
// or value, and nesting deeper than MaxDepth. A string may contain U+0000.
//
// The Content-Type decides nothing: clients "should supply a Content-Type
// header of application/json …, but this is not required". Departures from the
// advice are violations, whose rules may refuse them.
//
// Spec: client-server "API Standards", "Common error codes".
func (x *Exchange) Body(dst any, required bool) error {
	body, err := x.RawBody()
	if err != nil {
		return err
	}
	if len(body) == 0 {
		if !required {
			return nil
		}
		if refusal := x.departs(RuleBodyMissing, InBody(""), "a JSON object", NotJSON("The request has no body, but needs a JSON object")); refusal != nil {
			return refusal
		}
		return decode([]byte("{}"), dst)
	}
	if err := x.reportContentType(); err != nil {
		return err
	}
	if x.faults != nil {
		return x.note(body, dst)
	}
	if err := decode(body, dst); err != nil {
		return err
	}
	var refusal error
	for _, v := range x.judged(body) {
		switch {
		case v.Setting != SettingEnforce:
			x.found(v)
		case refusal == nil:
			refusal = refusedBy(v)
		}
	}
	return refusal
}

// refusedBy is the answer to a body that the strictness check refuses.
func refusedBy(v Violation) *Error {
	e := Errorf(http.StatusBadRequest, v.ErrCode, "%s (rule %s, see %s)", capital(v.Where.String()+": "+v.Says()), v.Rule, v.Section)
	e.Violations = []Violation{v}
	return e
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// RawBody returns the bytes of the body. It reads them once.
func (x *Exchange) RawBody() ([]byte, error) {
	if !x.read {
		x.read = true
		x.body, x.bodyErr = x.readAll()
	}
	return x.body, x.bodyErr
}

// Stream returns the body as it arrives, for media, and its content type,
// which may be empty. Reading past the upload limit fails with an error that
// becomes M_TOO_LARGE.
func (x *Exchange) Stream() (io.Reader, string, error) {
	limit := x.router.cfg.MaxUpload
	if x.R.ContentLength > limit {
		return nil, "", tooLarge(limit)
	}
	x.read, x.bodyErr = true, errStreamed
	return &upload{x: x, r: http.MaxBytesReader(connection(x.W), x.R.Body, limit)}, x.R.Header.Get("Content-Type"), nil
}

// An upload is a body whose errors are the ones for the client. Its deadline is
// extended as data arrives.
type upload struct {
	x   *Exchange
	r   io.Reader
	got int // since the deadline was set
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if u.got += n; u.got >= writeAtOnce {
		u.got = 0
		u.x.deadline()
	}
	if err != nil && err != io.EOF {
		err = readError(err)
	}
	return n, err
}

var errStreamed = errors.New("the body has been streamed")

func (x *Exchange) readAll() ([]byte, error) {
	if x.R.Body == nil || x.R.ContentLength == 0 {
		return nil, nil
	}
	limit := x.limit()
	if x.R.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	announced := x.R.ContentLength
	if announced < 0 {
		announced = limit
	}
	if err := x.hold(announced); err != nil {
		return nil, err
	}
	// The announced length is trusted up to 64 KiB; memory for more is allocated only
	// as data arrives.
	buf := bytes.NewBuffer(make([]byte, 0, min(max(x.R.ContentLength, 512), 64<<10)+1))
	if _, err := buf.ReadFrom(http.MaxBytesReader(connection(x.W), x.R.Body, limit)); err != nil {
		return nil, readError(err)
	}
	x.rec.unread = time.Time{}
	return buf.Bytes(), nil
}

// connection returns the writer that net/http made. MaxBytesReader tells it to
// close the connection.
func connection(w http.ResponseWriter) http.ResponseWriter {
	for {
		un, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = un.Unwrap()
	}
}

func (x *Exchange) limit() int64 {
	if bounds := x.router.cfg.Bounds; bounds != nil && x.Op != nil {
		return bounds.Body(x.Op)
	}
	if x.Op != nil && x.Op.Auth == AuthNone {
		return x.router.cfg.MaxPublicBody
	}
	return x.router.cfg.MaxBody
}

// deadline bounds how long the body may take, whether a handler reads it or, before the
// next request, net/http. net/http then removes the deadline.
func (x *Exchange) deadline() {
	if f := x.router.cfg.BodyDeadline; f != nil && x.R.ContentLength != 0 {
		if t := f(x.Op); !t.Equal(time.Time{}) {
			// A writer without a connection has no deadline to set.
			_ = http.NewResponseController(x.W).SetReadDeadline(t)
			if x.R.ProtoMajor == 1 {
				x.rec.unread = t
				// net/http writes "100 Continue" itself, and the previous answer's
				// deadline is still set.
				x.rec.extend()
			}
		}
	}
}

func tooLarge(limit int64) *Error {
	return TooLarge("The request body is larger than %d bytes", limit)
}

// readError converts an error of reading the body to the client's error.
func readError(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge(large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		e := Errorf(http.StatusRequestTimeout, "M_UNKNOWN", "The request body took too long")
		e.Header = map[string]string{"Connection": "close"}
		e.Err = err
		return e
	case errors.Is(err, io.ErrUnexpectedEOF):
		e := Errorf(http.StatusBadRequest, "M_NOT_JSON", "The request body is shorter than announced")
		e.Err = err
		return e
	case errors.Is(err, http.ErrBodyReadAfterClose):
		return err // a bug in our own code
	}
	// Other errors are the client's: invalid chunks, a lost connection.
	e := Errorf(http.StatusBadRequest, "M_NOT_JSON", "The request body cannot be read")
	e.Err = err
	return e
}

// reportContentType reports bodies whose Content-Type is not JSON.
func (x *Exchange) reportContentType() error {
	if x.router.cfg.Checks.Settle == nil {
		return nil
	}
	v := Violation{Where: InHeader("Content-Type"), Expected: "application/json", ErrCode: "M_UNKNOWN"}
	ct := x.R.Header.Get("Content-Type")
	switch {
	case ct == contentJSON[0]:
		return nil
	case ct == "":
		v.Rule, v.Found = RuleContentTypeMissing, "absent"
	case !isJSON(ct):
		v.Rule, v.Found = RuleContentTypeNotJSON, "another type"
	default:
		return nil
	}
	return x.report(v)
}

// isJSON reports whether a content type is JSON in UTF-8.
func isJSON(contentType string) bool {
	media, params, err := mime.ParseMediaType(contentType)
	charset := params["charset"]
	return err == nil && media == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

// when reports whether a request is for this one of the operations on a route.
func (x *Exchange) when(op *Operation) (bool, error) {
	kind, name, _ := strings.Cut(op.When, ":")
	switch kind {
	case "":
		return true, nil
	case "query":
		q := Query{raw: x.R.URL.RawQuery}
		has := q.Has(name)
		return has, q.err
	}
	x.Op = op // its limit holds for the body
	body, err := x.RawBody()
	if err != nil {
		return false, err
	}
	return hasMember(body, name), nil
}

// hasMember reports whether body is an object with the member name. If it is not JSON,
// the answer is false, and the chosen operation reports the error.
func hasMember(body []byte, name string) bool {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return false
	}
	for dec.PeekKind() == '"' {
		tok, err := dec.ReadToken()
		if err != nil {
			return false
		}
		if tok.String() == name {
			return true
		}
		if dec.SkipValue() != nil {
			return false
		}
	}
	return false
}

// decode reads strict JSON.
func decode(body []byte, dst any) error {
	if deeper(body, MaxDepth) {
		return depthError(body)
	}
	if err := json.Unmarshal(body, dst); err != nil {
		return bodyError(body, err)
	}
	return nil
}
