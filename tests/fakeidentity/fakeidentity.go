// SPDX-License-Identifier: Apache-2.0

// Package fakeidentity is a fake identity server for tests: the generated routes
// over data that a test sets, with TLS on a loopback address. It records requests
// and can return wrong responses on demand. It must not know any homeserver.
package fakeidentity

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api"
	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/generated/identityapi"
	"touchstone.example/server/strict"
	"touchstone.example/spec"
)

// Token is the only access token that it accepts.
const Token = "identity-token"

// Pepper is the pepper of its hashed lookups.
const Pepper = "matrixrocks"

// A Server is a fake identity server.
type Server struct {
	*httptest.Server

	mu      sync.Mutex
	bound   map[string]id.UserID // keyed by "address medium"
	calls   []string
	invites []identityapi.StoreInviteV2Body
	instead map[string]http.HandlerFunc
	keys    map[string]ed25519.PrivateKey // keyed by token; "" is the server's own key
	revoked bool

	algorithms []string // supported lookup algorithms
}

// New starts a fake identity server, which runs until the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{
		bound: map[string]id.UserID{}, instead: map[string]http.HandlerFunc{},
		keys: map[string]ed25519.PrivateKey{"": newKey("the server")}, algorithms: []string{"none", "sha256"},
	}
	settings, err := strict.Resolve(strict.Strict, nil)
	require.NoError(t, err)
	judge, err := strict.New(strict.Config{Spec: spec.Files, Settings: settings, Answers: true})
	require.NoError(t, err)
	router := api.NewRouter(api.Config{Checks: judge.Checks(), Auth: api.Authenticators{
		Identity: api.TokenAuthenticator(func(_ *http.Request, token string) (api.Caller, error) {
			if token != Token {
				return api.Caller{}, api.Unauthorized("Unknown token")
			}
			return api.Caller{User: "@caller:hs1"}, nil
		}),
	}})
	identityapi.MountV2Lookup(router, s)
	identityapi.MountV2StoreInvite(router, s)
	identityapi.MountV2Pubkey(router, s)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := path.Base(r.URL.Path)
		s.mu.Lock()
		s.calls = append(s.calls, what)
		instead := s.instead[what]
		s.mu.Unlock()
		if instead != nil {
			instead(w, r)
			return
		}
		router.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = log.New(testLog{t}, "", 0) // clients that do not trust the certificate break the connection off
	s.StartTLS()
	t.Cleanup(func() {
		s.Close()
		require.Empty(t, judge.Log().Enforced(strict.Answer))
	})
	return s
}

// testLog writes the server's log to the log of the test.
type testLog struct{ t testing.TB }

func (l testLog) Write(line []byte) (int, error) {
	l.t.Logf("identity server: %s", strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}

// Name returns the name of the server: host and port.
func (s *Server) Name() string { return s.Listener.Addr().String() }

// Roots returns a certificate pool that contains the server's certificate.
func (s *Server) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

// CAFile writes the server's certificate to a file for a homeserver's settings.
func (s *Server) CAFile(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return file
}

// Ask returns the members with which a client asks a homeserver for a
// third-party invite.
func (s *Server) Ask(medium, address string) map[string]any {
	return map[string]any{"id_server": s.Name(), "id_access_token": Token, "medium": medium, "address": address}
}

// Forget deletes all data except the name and keys.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.invites, s.revoked = nil, nil, false
	clear(s.bound)
}

// Bind associates an address with a user.
func (s *Server) Bind(medium, address string, user id.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bound[address+" "+medium] = user
}

// Hash sets the lookup algorithms that it supports.
func (s *Server) Hash(algorithms ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.algorithms = algorithms
}

// Instead sets a handler for requests whose path ends in what; nil restores the
// default.
func (s *Server) Instead(what string, how http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instead[what] = how
}

// Says returns a handler with a fixed response, for Instead.
func Says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// Revoke makes all keys invalid, or valid again.
func (s *Server) Revoke(revoked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = revoked
}

// Calls returns the path suffixes of the requests since the last call.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// Invites returns the stored invitations. The token of the first is token-1.
func (s *Server) Invites() []identityapi.StoreInviteV2Body {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.invites)
}

// Sign returns the third_party_signed for a user who owns the address of an
// invitation, signed with the key of the invitation or with the server's own key.
func (s *Server) Sign(sender, user id.UserID, token string, own bool) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	by := token
	if own {
		by = ""
	}
	signed := map[string]any{"sender": sender, "mxid": user, "token": token}
	text, err := canonjson.Append(nil, []byte(fmt.Sprintf(`{"mxid":%q,"sender":%q,"token":%q}`, user, sender, token)), canonjson.Strict)
	if err != nil {
		panic(err)
	}
	signature := base64.RawStdEncoding.EncodeToString(ed25519.Sign(s.keys[by], text))
	signed["signatures"] = map[string]any{s.Name(): map[string]any{"ed25519:0": signature}}
	return signed
}

func newKey(of string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(of))
	return ed25519.NewKeyFromSeed(seed[:])
}

func encode(key ed25519.PrivateKey) string {
	return base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
}

// GetHashDetails returns the pepper and the supported algorithms.
func (s *Server) GetHashDetails(context.Context, api.Caller, *identityapi.GetHashDetailsRequest) (*identityapi.GetHashDetailsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &identityapi.GetHashDetailsResponse{Algorithms: s.algorithms, LookupPepper: Pepper}, nil
}

// LookupUsersV2 looks up users by address.
func (s *Server) LookupUsersV2(_ context.Context, _ api.Caller, req *identityapi.LookupUsersV2Request) (*identityapi.LookupUsersV2Response, error) {
	if req.Body.Pepper != Pepper {
		return nil, api.Errorf(http.StatusBadRequest, "M_INVALID_PEPPER", "Unknown pepper")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.algorithms, req.Body.Algorithm) {
		return nil, api.InvalidParam("Unknown algorithm")
	}
	found := map[string]string{}
	for text, user := range s.bound {
		name := text
		if req.Body.Algorithm == "sha256" {
			sum := sha256.Sum256([]byte(text + " " + Pepper))
			name = base64.RawURLEncoding.EncodeToString(sum[:])
		}
		if slices.Contains(req.Body.Addresses, name) {
			found[name] = string(user)
		}
	}
	return &identityapi.LookupUsersV2Response{Mappings: found}, nil
}

// StoreInviteV2 stores an invitation.
func (s *Server) StoreInviteV2(_ context.Context, _ api.Caller, req *identityapi.StoreInviteV2Request) (*identityapi.StoreInviteV2Response, error) {
	if req.Body.Medium != "email" {
		return nil, api.Errorf(http.StatusBadRequest, "M_UNRECOGNIZED", "Only email")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.invites = append(s.invites, req.Body)
	token := fmt.Sprintf("token-%d", len(s.invites))
	s.keys[token] = newKey(token)
	base := "https://" + s.Name() + "/_matrix/identity/v2/pubkey/"
	return &identityapi.StoreInviteV2Response{Token: token, DisplayName: req.Body.Address[:1] + "...", PublicKeys: []identityapi.StoreInviteV2PublicKey{
		{PublicKey: encode(s.keys[""]), KeyValidityURL: base + "isvalid"},
		{PublicKey: encode(s.keys[token]), KeyValidityURL: base + "ephemeral/isvalid"},
	}}, nil
}

// IsPubKeyValidV2 accepts the server's own key.
func (s *Server) IsPubKeyValidV2(_ context.Context, req *identityapi.IsPubKeyValidV2Request) (*identityapi.IsPubKeyValidV2Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &identityapi.IsPubKeyValidV2Response{Valid: !s.revoked && req.PublicKey == encode(s.keys[""])}, nil
}

// IsEphemeralPubKeyValidV2 accepts the keys of invitations.
func (s *Server) IsEphemeralPubKeyValidV2(_ context.Context, req *identityapi.IsEphemeralPubKeyValidV2Request) (*identityapi.IsEphemeralPubKeyValidV2Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, key := range s.keys {
		if token != "" && encode(key) == req.PublicKey {
			return &identityapi.IsEphemeralPubKeyValidV2Response{Valid: !s.revoked}, nil
		}
	}
	return &identityapi.IsEphemeralPubKeyValidV2Response{}, nil
}

// GetPubKeyV2 always answers "not found".
func (s *Server) GetPubKeyV2(context.Context, *identityapi.GetPubKeyV2Request) (*identityapi.GetPubKeyV2Response, error) {
	return nil, api.NotFound("No such key")
}
