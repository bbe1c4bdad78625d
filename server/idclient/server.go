// SPDX-License-Identifier: Apache-2.0

package idclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"touchstone.example/api"
)

// maxAnswer bounds an answer in bytes. A request is about one address, and what is used
// of the answer must fit into an event.
const maxAnswer = 16 << 10

// A server is the client of one identity server.
type server struct {
	client *Client
	base   url.URL
	fixed  bool // base is the whole URL; the operation's path is not used
	token  string
}

func (c *Client) server(a Address) *server {
	return &server{client: c, token: a.Token, base: url.URL{Scheme: "https", Host: string(a.Server)}}
}

// Do sends one request, for the generated client.
func (s *server) Do(ctx context.Context, method, path string, query url.Values, header http.Header, body []byte) (int, http.Header, []byte, error) {
	ctx, done := context.WithTimeout(ctx, s.client.timeout)
	defer done()
	at := s.base
	if !s.fixed {
		at.Path = path
	}
	all := at.Query()
	for name, values := range query {
		all[name] = values
	}
	at.RawQuery, at.Fragment = all.Encode(), ""
	req, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header = header
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	res, err := s.client.http.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		return 0, nil, nil, fmt.Errorf("it redirects with status %d", res.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(text) > maxAnswer {
		err = fmt.Errorf("its answer is longer than %d bytes", maxAnswer)
	}
	return res.StatusCode, res.Header, withoutNulls(text), err
}

// fail converts an error of a request to an identity server for our client. All network
// errors have the same answer, so that it reveals nothing about this server's network.
// If the identity server refuses its token, the answer is not 401, which would log the
// client out here.
func (s *server) fail(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	theirs, ok := err.(*api.Error) // a wrapped one is about a successful answer that cannot be read
	if !ok {
		s.note(ctx, err)
		return &api.Error{Status: http.StatusBadRequest, ErrCode: "M_UNKNOWN", Err: err,
			Msg: "The identity server " + s.base.Host + " cannot be asked"}
	}
	says := func(status int, errcode string) error {
		return &api.Error{Status: status, ErrCode: errcode, Err: err,
			Msg: fmt.Sprintf("The identity server %s answers %d %.64s: %.256s", s.base.Host, theirs.Status, theirs.ErrCode, theirs.Msg)}
	}
	switch {
	case theirs.Status == http.StatusTooManyRequests:
		wait, _ := strconv.ParseUint(theirs.Header["Retry-After"], 10, 16)
		return api.LimitExceeded(time.Duration(max(wait, 1)) * time.Second)
	case theirs.ErrCode == "M_THREEPID_IN_USE":
		return says(http.StatusBadRequest, theirs.ErrCode)
	case theirs.ErrCode == "M_UNRECOGNIZED" && theirs.Status == http.StatusBadRequest:
		return says(http.StatusBadRequest, "M_INVALID_PARAM") // it does not know the medium
	case theirs.Status == http.StatusUnauthorized, theirs.Status == http.StatusForbidden:
		return says(http.StatusForbidden, "M_FORBIDDEN")
	}
	return says(http.StatusBadRequest, "M_UNKNOWN")
}

// odd is fail for an invalid answer.
func (s *server) odd(ctx context.Context, why string) error {
	s.note(ctx, errors.New(why))
	return api.Unknown("The answer of the identity server %s makes no sense: %s", s.base.Host, why)
}

func (s *server) note(ctx context.Context, err error) {
	s.client.log.InfoContext(ctx, "identity server", slog.String("server", s.base.Host), slog.String("error", err.Error()))
}
