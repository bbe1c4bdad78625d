// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bytes"
	"io"
	"net/http"
)

// Transport returns a round tripper for other people's clients: it checks
// every answer as Do does, and fails the test for a bad one.
func (s *Server) Transport(t T) http.RoundTripper { return checked{t, s} }

type checked struct {
	t T
	s *Server
}

func (c checked) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(got))
	a := &Answer{
		Op:     c.s.Routes.Find(r.Method, r.URL.EscapedPath(), r.URL.Query(), sent),
		Status: resp.StatusCode, Header: resp.Header, Body: got,
	}
	if err := c.s.check(a); err != nil {
		c.t.Errorf("%s %s: %v\nanswer: %.2000s", r.Method, r.URL.EscapedPath(), err, a)
	}
	return resp, nil
}
