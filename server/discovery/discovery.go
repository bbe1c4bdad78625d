// SPDX-License-Identifier: Apache-2.0

// Package discovery serves information about the server: versions,
// capabilities, well-known documents and its health. Other packages must not
// depend on it.
package discovery

import (
	"context"
	"net/http"

	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/extraapi"
	"touchstone.example/generated/fedapi"
	"touchstone.example/server/config"
	"touchstone.example/server/roomver"
	"touchstone.example/storage"
)

var (
	_ clientapi.Versions     = (*Discovery)(nil)
	_ clientapi.Wellknown    = (*Discovery)(nil)
	_ clientapi.Support      = (*Discovery)(nil)
	_ clientapi.PolicyServer = (*Discovery)(nil)
	_ clientapi.Capabilities = (*Discovery)(nil)
	_ fedapi.Wellknown       = (*Discovery)(nil)
	_ fedapi.Version         = (*Discovery)(nil)
	_ extraapi.Health        = (*Discovery)(nil)
)

// Discovery implements the endpoints about the server itself.
type Discovery struct {
	DB *storage.DB
	// Writable returns why the database cannot be written, nil if it can or if no write
	// has been tried.
	Writable    func(ctx context.Context) error
	WellKnown   config.WellKnown
	Program     string // version of the program
	RoomVersion string // default version of new rooms
	// Unstable are the proposals that are switched on, such as msc3930.
	Unstable []string
}

// versions are the releases of the specification that the server supports:
// every one since r0 ended, because each is compatible with those before it.
var versions = []string{
	"v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10",
	"v1.11", "v1.12", "v1.13", "v1.14", "v1.15", "v1.16", "v1.17", "v1.18", "v1.19",
}

// GetVersions lists the supported releases of the specification, and the proposals
// that are switched on.
//
// Spec: client-server getVersions.
func (d *Discovery) GetVersions(context.Context, *api.Caller, *clientapi.GetVersionsRequest) (*clientapi.GetVersionsResponse, error) {
	out := &clientapi.GetVersionsResponse{Versions: versions}
	for _, name := range d.Unstable {
		if out.UnstableFeatures == nil {
			out.UnstableFeatures = map[string]bool{}
		}
		out.UnstableFeatures["org.matrix."+name] = true
	}
	return out, nil
}

// GetWellknown returns the URL of the server for clients.
//
// Spec: client-server "Well-known URIs".
func (d *Discovery) GetWellknown(context.Context, *clientapi.GetWellknownRequest) (*clientapi.GetWellknownResponse, error) {
	if d.WellKnown.Client == "" {
		return nil, api.NotFound("This server has no well-known document for clients")
	}
	return &clientapi.GetWellknownResponse{Homeserver: clientapi.WellknownHomeserver{BaseURL: d.WellKnown.Client}}, nil
}

// GetWellKnown returns the name and port of the server for other servers.
//
// Spec: server-server "Resolving server names".
func (d *Discovery) GetWellKnown(context.Context, *fedapi.GetWellKnownRequest) (*fedapi.GetWellKnownResponse, error) {
	if d.WellKnown.Server == "" {
		return nil, api.NotFound("This server has no well-known document for servers")
	}
	return &fedapi.GetWellKnownResponse{Server: api.Some(d.WellKnown.Server)}, nil
}

// GetWellknownSupport should return the operator's contact. There is no setting
// for it, so the answer is "not found".
//
// Spec: client-server getWellknownSupport.
func (d *Discovery) GetWellknownSupport(context.Context, *clientapi.GetWellknownSupportRequest) (*clientapi.GetWellknownSupportResponse, error) {
	return nil, api.NotFound("This server names no contacts")
}

// GetWellknownPolicy is for policy servers. This server is not one, so the
// answer is "not found".
//
// Spec: client-server getWellknownPolicy.
func (d *Discovery) GetWellknownPolicy(context.Context, *clientapi.GetWellknownPolicyRequest) (*clientapi.GetWellknownPolicyResponse, error) {
	return nil, api.NotFound("This server is no policy server")
}

// GetVersion returns the name and version of this program to other servers.
//
// Spec: server-server getVersion.
func (d *Discovery) GetVersion(context.Context, *fedapi.GetVersionRequest) (*fedapi.GetVersionResponse, error) {
	return &fedapi.GetVersionResponse{Server: &fedapi.GetVersionServer{
		Name: api.Some("Touchstone"), Version: api.Some(d.Program),
	}}, nil
}

// GetCapabilities lists what a client may do on this server.
//
// Spec: client-server "Capabilities negotiation".
func (d *Discovery) GetCapabilities(context.Context, api.Caller, *clientapi.GetCapabilitiesRequest) (*clientapi.GetCapabilitiesResponse, error) {
	yes, no := &clientapi.BooleanCapability{Enabled: true}, &clientapi.BooleanCapability{}
	rooms := &clientapi.RoomVersionsCapability{Default: d.RoomVersion, Available: map[string]clientapi.Stability{}}
	for _, rules := range roomver.All() {
		rooms.Available[rules.Version] = clientapi.StabilityStable
	}
	return &clientapi.GetCapabilitiesResponse{Capabilities: clientapi.ServerCapabilities{
		RoomVersions:    rooms,
		ChangePassword:  no,
		ThreepidChanges: no,
		GetLoginToken:   no,
		SetDisplayname:  yes,
		SetAvatarURL:    yes,
		ProfileFields:   &clientapi.ProfileFieldsCapability{Enabled: true},
	}}, nil
}

// GetHealth succeeds if the server can read its database and, as far as it
// knows, write it.
func (d *Discovery) GetHealth(ctx context.Context, _ *extraapi.GetHealthRequest) (*extraapi.GetHealthResponse, error) {
	err := d.DB.Read(ctx, func(tx *storage.Reader) error {
		_, err := tx.Epoch(ctx)
		return err
	})
	if err != nil {
		return nil, unhealthy("The database does not answer", err)
	}
	if err := d.Writable(ctx); err != nil {
		return nil, unhealthy("The database cannot be written; is its disk full?", err)
	}
	return &extraapi.GetHealthResponse{Status: "ok"}, nil
}

func unhealthy(text string, err error) *api.Error {
	return &api.Error{Status: http.StatusServiceUnavailable, ErrCode: "M_UNKNOWN", Msg: text, Err: err}
}
