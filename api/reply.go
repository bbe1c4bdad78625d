// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Empty is the empty answer {}.
type Empty struct{}

// AppendJSON appends an empty object.
func (*Empty) AppendJSON(b []byte) []byte { return append(b, "{}"...) }

// UnmarshalJSONFrom reads an object and ignores its members.
func (*Empty) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if k := dec.PeekKind(); k != '{' && k > 0 {
		return BadJSON("Expected an object")
	}
	return dec.SkipValue()
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled bounds the size of a buffer that is returned to the pool.
const maxPooled = 1 << 20

// Reply answers with one JSON value.
func (x *Exchange) Reply(status int, v Appender) error {
	buf := buffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= maxPooled {
			buffers.Put(buf)
		}
	}()
	*buf = v.AppendJSON((*buf)[:0])
	if check := x.router.cfg.Checks.Response; check != nil {
		if err := check(x.Op, status, *buf); err != nil {
			return fmt.Errorf("check the answer: %w", err)
		}
	}
	if x.R.Method == http.MethodGet { // else what was done is done, and may be said
		if err := x.hold(int64(len(*buf))); err != nil {
			return err
		}
	}
	return x.writeJSON(status, *buf)
}

func (x *Exchange) writeJSON(status int, body []byte) error {
	h := x.W.Header()
	h["Content-Type"] = contentJSON
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.W.WriteHeader(status)
	_, err := x.W.Write(body)
	return err
}

var contentJSON = []string{"application/json"}

// Redirect answers with a redirect. The location is sent unchanged.
//
// Spec: client-server "API Standards": all answers but media are JSON objects.
func (x *Exchange) Redirect(status int, location string) error {
	x.W.Header().Set("Location", location)
	return x.writeJSON(status, []byte("{}"))
}

// Send answers with media and closes the body if it can be closed. Set its header
// fields on x.W.Header() before. An unknown size is negative.
func (x *Exchange) Send(status int, contentType string, size int64, body io.Reader) error {
	if c, ok := body.(io.Closer); ok {
		defer c.Close()
	}
	h := x.W.Header()
	h.Set("Content-Type", contentType)
	if size >= 0 {
		h.Set("Content-Length", strconv.FormatInt(size, 10))
	}
	x.W.WriteHeader(status)
	if _, err := io.Copy(x.W, body); err != nil {
		return fmt.Errorf("send the body: %w", err)
	}
	return nil
}

// A Part is one part of a multipart answer. A redirect has no Body.
type Part struct {
	Header textproto.MIMEHeader
	Body   io.Reader
}

// SendMultipart answers with multipart/mixed.
//
// Spec: server-server "Content Repository".
func (x *Exchange) SendMultipart(status int, parts ...Part) error {
	m := multipart.NewWriter(x.W)
	if f := x.router.cfg.Boundary; f != nil {
		if err := m.SetBoundary(f()); err != nil {
			return err
		}
	}
	x.W.Header().Set("Content-Type", "multipart/mixed; boundary="+m.Boundary())
	x.W.WriteHeader(status)
	for _, p := range parts {
		if c, ok := p.Body.(io.Closer); ok {
			defer c.Close()
		}
		w, err := m.CreatePart(p.Header)
		if err != nil {
			return err
		}
		if p.Body == nil {
			continue
		}
		if _, err := io.Copy(w, p.Body); err != nil {
			return fmt.Errorf("send a part: %w", err)
		}
	}
	return m.Close()
}
