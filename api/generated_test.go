// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/asapi"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/fedapi"
	"touchstone.example/generated/identityapi"
)

// These tests send requests of the generated clients through a router to the
// generated servers, and look at what arrives on either side.

var alice = api.Caller{User: "@alice:example.org", Device: "DEV"}

func as[T any](who T) api.Authenticator[T] {
	return func(r *http.Request) (T, bool, error) { return who, r.Header.Get("Authorization") != "", nil }
}

// router authenticates everybody as the header Authorization says.
func router() *api.Router {
	return api.NewRouter(api.Config{
		Boundary: func() string { return "between" },
		Auth: api.Authenticators{
			User: as(alice), AppService: as(alice), Identity: as(alice),
			Server: as(id.ServerName("origin.example")), Homeserver: as(struct{}{}),
		},
	})
}

// wire is a Doer without a network.
type wire struct {
	h      http.Handler
	nobody bool
	target string // of the last request
}

func (w *wire) Do(ctx context.Context, method, path string, query url.Values, header http.Header, body []byte) (int, http.Header, []byte, error) {
	w.target = path
	if len(query) > 0 {
		w.target += "?" + query.Encode()
	}
	r := httptest.NewRequestWithContext(ctx, method, w.target, bytes.NewReader(body))
	r.Header = header
	if !w.nobody {
		r.Header.Set("Authorization", "X-Matrix somebody")
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	return rec.Code, rec.Header(), rec.Body.Bytes(), nil
}

// raw sends a request as no generated client would.
func raw(t *testing.T, h http.Handler, method, target, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "X-Matrix somebody")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

type roomSend struct{ got *clientapi.SendMessageRequest }

func (s *roomSend) SendMessage(_ context.Context, who api.Caller, req *clientapi.SendMessageRequest) (*clientapi.SendMessageResponse, error) {
	if who != alice {
		return nil, api.Forbidden("you are %s", who.User)
	}
	s.got = req
	return &clientapi.SendMessageResponse{EventID: "$h"}, nil
}

func TestGeneratedJSON(t *testing.T) {
	r, s := router(), &roomSend{}
	clientapi.MountRoomSend(r, s)
	d := &wire{h: r}
	c := &clientapi.Client{Doer: d}
	req := &clientapi.SendMessageRequest{RoomID: "!a/b:example.org", EventType: "m.room.message", TxnID: "1/2 %+#?é", Body: api.Raw(`{"n":9007199254740993,"x":"<&>"}`)}
	res, err := c.SendMessage(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, id.EventID("$h"), res.EventID)
	require.Equal(t, req, s.got)
	require.Equal(t, "/_matrix/client/v3/rooms/%21a%2Fb:example.org/send/m.room.message/1%2F2%20%25+%23%3F%C3%A9", d.target)

	const path = "/_matrix/client/v3/rooms/!r:example.org/send/m.x/1"
	for body, want := range map[string]string{
		``:      "M_NOT_JSON",
		`[]`:    "M_BAD_JSON",
		`null`:  "M_BAD_JSON",
		`"x"`:   "M_BAD_JSON",
		`{"a":`: "M_NOT_JSON",
	} {
		code, text := raw(t, r, "PUT", path, body)
		require.Equal(t, 400, code, body)
		require.Contains(t, text, want, body)
	}
	code, text := raw(t, r, "PUT", "/_matrix/client/v3/rooms/room/send/m.x/1", "{}")
	require.Equal(t, 400, code)
	require.Contains(t, text, "M_INVALID_PARAM")

	d.nobody = true
	_, err = c.SendMessage(t.Context(), req)
	var e *api.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 401, e.Status)
	require.Equal(t, "M_MISSING_TOKEN", e.ErrCode)
}

type relations struct {
	clientapi.Relations
	got *clientapi.GetRelatingEventsRequest
}

func (s *relations) GetRelatingEvents(_ context.Context, _ api.Caller, req *clientapi.GetRelatingEventsRequest) (*clientapi.GetRelatingEventsResponse, error) {
	s.got = req
	return &clientapi.GetRelatingEventsResponse{Chunk: []api.Raw{api.Raw(`{"type":"m.x"}`)}}, nil
}

func TestGeneratedQuery(t *testing.T) {
	r, s := router(), &relations{}
	clientapi.MountRelations(r, s)
	c := &clientapi.Client{Doer: &wire{h: r}}
	for _, req := range []*clientapi.GetRelatingEventsRequest{
		{RoomID: "!r:example.org", EventID: "$e"},
		{RoomID: "!r:example.org", EventID: "$e", Dir: api.Some(clientapi.DirectionB), From: api.Some("a&b=c +%"), Limit: api.Some[int64](0), Recurse: api.Some(false)},
	} {
		res, err := c.GetRelatingEvents(t.Context(), req)
		require.NoError(t, err)
		require.Equal(t, req, s.got)
		require.Equal(t, []api.Raw{api.Raw(`{"type":"m.x"}`)}, res.Chunk)
	}
	for query, want := range map[string]string{
		"dir=up": "M_INVALID_PARAM", "limit=x": "M_INVALID_PARAM", "recurse=1": "M_INVALID_PARAM", "dir=": "M_INVALID_PARAM",
	} {
		code, text := raw(t, r, "GET", "/_matrix/client/v1/rooms/!r:example.org/relations/$e?"+query, "")
		require.Equal(t, 400, code, query)
		require.Contains(t, text, want, query)
	}
}

type thirdParty struct {
	asapi.Protocols
	got *asapi.QueryLocationByProtocolRequest
}

func (s *thirdParty) QueryLocationByProtocol(_ context.Context, req *asapi.QueryLocationByProtocolRequest) (*asapi.QueryLocationByProtocolResponse, error) {
	s.got = req
	return &asapi.QueryLocationByProtocolResponse{}, nil
}

func TestGeneratedOpenQueryAndHomeserver(t *testing.T) {
	r, s := router(), &thirdParty{}
	asapi.MountProtocols(r, s)
	d := &wire{h: r}
	c := &asapi.Client{Doer: d}
	req := &asapi.QueryLocationByProtocolRequest{Protocol: "irc", Fields: map[string]string{"network": "free node", "": "x"}}
	_, err := c.QueryLocationByProtocol(t.Context(), req)
	require.NoError(t, err)
	delete(req.Fields, "")
	require.Equal(t, req, s.got)
	d.nobody = true
	_, err = c.QueryLocationByProtocol(t.Context(), req)
	require.ErrorContains(t, err, "M_")
}

type inviting struct{ user, other int }

func (s *inviting) InviteUser(context.Context, api.Caller, *clientapi.InviteUserRequest) (*api.Empty, error) {
	s.user++
	return &api.Empty{}, nil
}

func (s *inviting) InviteBy3PID(context.Context, api.Caller, *clientapi.InviteBy3PIDRequest) (*api.Empty, error) {
	s.other++
	return nil, api.Unfinished()
}

func TestGeneratedMergedRoute(t *testing.T) {
	r, s := router(), &inviting{}
	clientapi.MountThirdPartyMembership(r, s)
	clientapi.MountInviting(r, s)
	c := &clientapi.Client{Doer: &wire{h: r}}
	_, err := c.InviteUser(t.Context(), &clientapi.InviteUserRequest{RoomID: "!r:example.org", Body: clientapi.InviteUserBody{UserID: "@b:example.org"}})
	require.NoError(t, err)
	_, err = c.InviteBy3PID(t.Context(), &clientapi.InviteBy3PIDRequest{RoomID: "!r:example.org", Body: clientapi.Invite3PID{Medium: "email"}})
	require.ErrorContains(t, err, "M_UNRECOGNIZED")
	require.Equal(t, &inviting{1, 1}, s)
}

type devices struct{ clientapi.DeviceManagement }

func (devices) UpdateDevice(_ context.Context, _ api.Caller, req *clientapi.UpdateDeviceRequest) (clientapi.UpdateDeviceResult, error) {
	if req.DeviceID == "new" {
		return &clientapi.UpdateDeviceCreated{}, nil
	}
	return &clientapi.UpdateDeviceOK{}, nil
}

func TestGeneratedStatuses(t *testing.T) {
	r := router()
	clientapi.MountDeviceManagement(r, devices{})
	c := &clientapi.Client{Doer: &wire{h: r}}
	for device, want := range map[string]clientapi.UpdateDeviceResult{"new": &clientapi.UpdateDeviceCreated{}, "old": &clientapi.UpdateDeviceOK{}} {
		got, err := c.UpdateDevice(t.Context(), &clientapi.UpdateDeviceRequest{DeviceID: device})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

type bodies struct{ got **asapi.PingBody }

func (s bodies) Ping(_ context.Context, req *asapi.PingRequest) (*api.Empty, error) {
	*s.got = req.Body
	return &api.Empty{}, nil
}

func TestGeneratedOptionalBody(t *testing.T) {
	var got *asapi.PingBody
	r := router()
	asapi.MountPing(r, bodies{&got})
	c := &asapi.Client{Doer: &wire{h: r}}
	for _, want := range []*asapi.PingBody{nil, {TransactionID: api.Some("x")}, {}} {
		_, err := c.Ping(t.Context(), &asapi.PingRequest{Body: want})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	code, text := raw(t, r, "POST", "/_matrix/app/v1/ping", "null")
	require.Equal(t, 400, code)
	require.Contains(t, text, "M_BAD_JSON")
}

type media struct {
	clientapi.ContentRepo
	answer clientapi.GetContentResult
	got    []byte
	upload *clientapi.UploadContentRequest
}

func (s *media) GetContent(context.Context, *clientapi.GetContentRequest) (clientapi.GetContentResult, error) {
	return s.answer, nil
}

func (s *media) UploadContent(_ context.Context, _ api.Caller, req *clientapi.UploadContentRequest) (*clientapi.UploadContentResponse, error) {
	s.upload = req
	var err error
	s.got, err = io.ReadAll(req.Body)
	return &clientapi.UploadContentResponse{ContentURI: "mxc://example.org/a"}, err
}

func TestGeneratedMedia(t *testing.T) {
	s := &media{}
	r := router()
	clientapi.MountContentRepo(r, s)
	c := &clientapi.Client{Doer: &wire{h: r}}
	req := &clientapi.GetContentRequest{ServerName: "example.org", MediaID: "a"}

	s.answer = &clientapi.GetContentOK{Media: api.Media{ContentType: "image/png", ContentDisposition: "inline", Body: strings.NewReader("bytes")}}
	got, err := c.GetContent(t.Context(), req)
	require.NoError(t, err)
	ok := got.(*clientapi.GetContentOK)
	text, err := io.ReadAll(ok.Body)
	require.NoError(t, err)
	require.Equal(t, "bytes", string(text))
	require.Equal(t, "image/png inline 5", ok.ContentType+" "+ok.ContentDisposition+" "+api.Raw(api.AppendInt(nil, ok.Size)).String())

	for status, want := range map[int]int{0: 307, 308: 308} {
		s.answer = &clientapi.GetContentRedirect{Redirection: api.Redirection{Status: status, Location: "https://cdn.example/a?b=c"}}
		got, err = c.GetContent(t.Context(), req)
		require.NoError(t, err)
		require.Equal(t, &clientapi.GetContentRedirect{Redirection: api.Redirection{Status: want, Location: "https://cdn.example/a?b=c"}}, got)
	}

	up, err := c.UploadContent(t.Context(), &clientapi.UploadContentRequest{Filename: api.Some("a b"), ContentType: api.Some("text/x"), Body: strings.NewReader("text")})
	require.NoError(t, err)
	require.Equal(t, id.MXC("mxc://example.org/a"), up.ContentURI)
	require.Equal(t, "text", string(s.got))
	require.Equal(t, int64(4), s.upload.Size)
	require.Equal(t, api.Some("a b"), s.upload.Filename)
	require.Equal(t, api.Some("text/x"), s.upload.ContentType)
}

type fedMedia struct {
	fedapi.ContentRepository
	answer api.FederatedMedia
	origin id.ServerName
}

func (s *fedMedia) GetContent(_ context.Context, origin id.ServerName, _ *fedapi.GetContentRequest) (fedapi.GetContentResult, error) {
	s.origin = origin
	return &fedapi.GetContentOK{FederatedMedia: s.answer}, nil
}

func TestGeneratedFederatedMedia(t *testing.T) {
	s := &fedMedia{}
	r := router()
	fedapi.MountContentRepository(r, s)
	c := &fedapi.Client{Doer: &wire{h: r}}
	for _, want := range []api.FederatedMedia{
		{Location: "https://cdn.example/a"},
		{Metadata: api.Raw(`{"new":1}`), Media: api.Media{ContentType: "image/png", ContentDisposition: "inline", Body: strings.NewReader("a\r\n--between\r\nb")}},
	} {
		s.answer = want
		res, err := c.GetContent(t.Context(), &fedapi.GetContentRequest{MediaID: "a"})
		require.NoError(t, err)
		require.Equal(t, id.ServerName("origin.example"), s.origin)
		got := res.(*fedapi.GetContentOK)
		require.Equal(t, want.Location, got.Location)
		require.Equal(t, want.ContentType, got.ContentType)
		require.Equal(t, want.ContentDisposition, got.ContentDisposition)
		require.Equal(t, string(api.AppendObject(nil, want.Metadata)), string(got.Metadata))
	}
}

type fail struct{ err error }

func (s fail) GetAccount(context.Context, api.Caller, *identityapi.GetAccountRequest) (*identityapi.GetAccountResponse, error) {
	return nil, s.err
}
func (s fail) RegisterAccount(context.Context, *identityapi.RegisterAccountRequest) (*identityapi.RegisterAccountResponse, error) {
	return nil, s.err
}
func (s fail) Logout(context.Context, api.Caller, *identityapi.LogoutRequest) (*api.Empty, error) {
	return nil, s.err
}

func TestGeneratedErrors(t *testing.T) {
	want := api.LimitExceeded(1500 * time.Millisecond)
	r := router()
	identityapi.MountV2Auth(r, fail{want})
	_, err := (&identityapi.Client{Doer: &wire{h: r}}).GetAccount(t.Context(), &identityapi.GetAccountRequest{})
	var got *api.Error
	require.ErrorAs(t, err, &got)
	require.Equal(t, 429, got.Status)
	require.Equal(t, want.ErrCode, got.ErrCode)
	require.Equal(t, want.Msg, got.Msg)
	require.Equal(t, "2", got.Header["Retry-After"])
	require.EqualValues(t, 1500, got.Extra["retry_after_ms"])
}

// A file without a server answers as it always will to who may not call and to
// what cannot be read, and says to all others that it is not served yet.
func TestMountingNothing(t *testing.T) {
	r := router()
	clientapi.MountInviting(r, nil)
	clientapi.MountThirdPartyMembership(r, nil)
	for name, c := range map[string]struct{ token, body, errcode string }{
		"nobody":     {"", `{"user_id":"@b:example.org"}`, "M_MISSING_TOKEN"},
		"no user ID": {"alice", `{"user_id":"b"}`, "M_BAD_JSON"},
		"good":       {"alice", `{"user_id":"@b:example.org"}`, "M_UNRECOGNIZED"},
	} {
		req := httptest.NewRequest("POST", "/_matrix/client/v3/rooms/!r:example.org/invite", strings.NewReader(c.body))
		if c.token != "" {
			req.Header.Set("Authorization", "Bearer "+c.token)
		}
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, req)
		require.Contains(t, w.Body.String(), c.errcode, name)
		require.Equal(t, c.errcode == "M_UNRECOGNIZED", w.Header().Get("Touchstone-Unfinished") == "inviteUser", name)
	}
	var nobody *inviting
	require.PanicsWithValue(t, "api: Inviting is mounted with a nil *api_test.inviting", func() { clientapi.MountInviting(r, nobody) })
}
