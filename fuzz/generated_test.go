// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/events"
	"touchstone.example/generated/fedapi"
)

// generated returns empty values of generated types that together use every
// feature of the generator.
var generated = []func() events.Content{
	func() events.Content { return new(clientapi.SyncResponse) },
	func() events.Content { return new(clientapi.CreateRoomBody) },
	func() events.Content { return new(clientapi.UploadKeysBody) },
	func() events.Content { return new(clientapi.LoginBody) },
	func() events.Content { return new(clientapi.SearchResponse) },
	func() events.Content { return new(clientapi.PushRuleset) },
	func() events.Content { return new(clientapi.GetCapabilitiesResponse) },
	func() events.Content { return new(clientapi.GetPresenceResponse) },
	func() events.Content { return new(clientapi.GetProtocolsResponse) },
	func() events.Content { return new(fedapi.SendTransactionBody) },
	func() events.Content { return new(fedapi.ServerKeys) },
	func() events.Content { return new(events.RoomPowerLevelsContent) },
	func() events.Content { return new(events.ReceiptContent) },
	func() events.Content { return new(events.RoomMemberContent) },
}

// FuzzGenerated decodes any bytes as a generated type. An accepted value must
// stay the same when it is encoded and decoded again. An error must name the
// right cause.
func FuzzGenerated(f *testing.F) {
	for i, text := range []string{
		`{"next_batch":"s","device_unused_fallback_key_types":[],"rooms":{"join":{"!a:x":{"timeline":{"events":[{"a":1}]}}}}}`,
		`{"preset":"private_chat","invite":["@a:x"],"creation_content":{"m.federate":true},"initial_state":[{"type":"m","content":{}}]}`,
		`{"device_keys":{"user_id":"@a:x","device_id":"D","algorithms":[],"keys":{},"signatures":{"@a:x":{"k":"s"}},"new":1e5}}`,
		`{"type":"m.login.password","identifier":{"type":"m.id.user","user":"a"}}`,
		`{"search_categories":{"room_events":{"groups":{"room_id":{"!a:x":{"order":1}}},"results":[{"rank":0.5}]}}}`,
		`{"override":[{"rule_id":"r","default":false,"enabled":true,"actions":["notify",{"set_tweak":"sound"}],"conditions":[{"kind":"k","value":null}]}]}`,
		`{"capabilities":{"m.room_versions":{"default":"12","available":{"1":"stable"}},"org.x":{}}}`,
		`{"presence":"online","status_msg":null}`,
		`{"irc":{"icon":"","user_fields":[],"location_fields":[],"field_types":{},"instances":[]}}`,
		`{"origin":"x","origin_server_ts":1,"pdus":[{}],"edus":[{"edu_type":"m"}]}`,
		`{"server_name":"x","valid_until_ts":1,"verify_keys":{"a":{"key":"k","n":{}}},"signatures":{}}`,
		`{"users":{"@a:x":100},"events":{"m":-1},"notifications":{"room":5}}`,
		`{"$e":{"m.read":{"@a:x":{"ts":1,"thread_id":"main"}}}}`,
		`{"membership":"join","displayname":null,"third_party_invite":{}}`,
	} {
		f.Add(uint8(i), []byte(text))
	}
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		fresh := generated[int(which)%len(generated)]
		v := fresh()
		if err := json.Unmarshal(text, v); err != nil {
			requireCause(t, text, err)
			return
		}
		once := v.AppendJSON(nil)
		require.True(t, jsontext.Value(once).IsValid(), "%s", once)
		again := fresh()
		require.NoError(t, json.Unmarshal(once, again), "%s", once)
		require.Equal(t, string(once), string(again.AppendJSON(nil)))
	})
}

// requireCause checks that an error is a syntax error exactly if the bytes are
// not JSON, and otherwise an error about a value in our own words.
func requireCause(t *testing.T, text []byte, err error) {
	t.Helper()
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) {
		require.False(t, jsontext.Value(text).IsValid(), "%s: %v", text, err)
		return
	}
	var semantic *json.SemanticError
	require.ErrorAs(t, err, &semantic, "%s", text)
	require.Error(t, semantic.Err, "%s", text)
}

// FuzzRequest decodes any query into a request that has a parameter of every
// kind. The router must answer, and never with a server error.
func FuzzRequest(f *testing.F) {
	r := api.NewRouter(api.Config{})
	clientapi.MountContentRepo(r, publicMedia{})
	f.Add("width=1&height=2&method=crop&animated=true&timeout_ms=5")
	f.Add("width=%zz&height=1e3&method=Crop")
	f.Fuzz(func(t *testing.T, query string) {
		req := httptest.NewRequest("GET", "/_matrix/media/v3/thumbnail/example.org/a", nil)
		req.URL.RawQuery = query
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, req)
		require.Contains(t, []int{200, 400}, rec.Code)
		if rec.Code == 400 {
			require.True(t, bytes.Contains(rec.Body.Bytes(), []byte("_PARAM")), rec.Body)
		}
	})
}

type publicMedia struct{ clientapi.ContentRepo }

func (publicMedia) GetContentThumbnail(_ context.Context, req *clientapi.GetContentThumbnailRequest) (clientapi.GetContentThumbnailResult, error) {
	ok := &clientapi.GetContentThumbnailOK{}
	ok.ContentType, ok.Body = "image/png", strings.NewReader(string(req.Method.Value))
	return ok, nil
}
