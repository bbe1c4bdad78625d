// SPDX-License-Identifier: Apache-2.0

// Package idclient is the client of identity servers: to look up the user of a
// third-party identifier, to store an invitation for its future owner, and to ask
// whether a key is still valid. Clients choose the servers, so their answers are
// checked, and their errors are converted for this server's clients. It must not decide
// what follows from an answer.
package idclient

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"golang.org/x/text/cases"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/identityapi"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/outbound"
)

// Options say how identity servers are reached.
type Options struct {
	// AllowPrivate lets the client connect to private and loopback addresses.
	AllowPrivate bool
	// RootCAs are the trusted CAs; nil: those of the system.
	RootCAs *x509.CertPool
	// Transport replaces the network, for tests.
	Transport http.RoundTripper
	// Timeout bounds one request; zero: 10 seconds.
	Timeout time.Duration
	// Log gets the reason why a request to a server failed, which clients are not told.
	Log *slog.Logger
}

// Client asks identity servers.
type Client struct {
	http    *http.Client
	timeout time.Duration
	log     *slog.Logger
}

// New returns a client.
func New(o Options) *Client {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Transport == nil {
		o.Transport = outbound.Transport(outbound.Options{AllowPrivate: o.AllowPrivate, RootCAs: o.RootCAs, Timeout: o.Timeout, MaxHeader: maxAnswer})
	}
	return &Client{timeout: o.Timeout, log: o.Log, http: &http.Client{
		Transport: o.Transport,
		// No redirects: the token is only for this server, and a redirected POST may
		// become a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// An Address is a third-party identifier, with the identity server to ask and the token
// for it.
type Address struct {
	Server  id.ServerName
	Token   string
	Medium  string
	Address string
}

// Read reads an address from a client's request.
//
// Spec: client-server inviteBy3PID, Invite3pid; appendices "3PID Types".
func Read(p *clientapi.Invite3PID) (Address, error) {
	for _, m := range []struct{ name, value string }{
		{"id_server", p.IDServer}, {"id_access_token", p.IDAccessToken}, {"medium", p.Medium}, {"address", p.Address},
	} {
		if m.value == "" {
			return Address{}, api.MissingParam("%s is empty", m.name)
		}
	}
	server, err := id.ParseServerName(p.IDServer)
	if err != nil {
		return Address{}, api.InvalidParam("id_server: %s", err)
	}
	if !headerText.MatchString(p.IDAccessToken) {
		return Address{}, api.InvalidParam("id_access_token has characters that no token has")
	}
	a := Address{Server: server, Token: p.IDAccessToken, Medium: p.Medium, Address: p.Address}
	if a.Medium == "email" {
		a.Address = cases.Fold().String(a.Address)
	}
	return a, nil
}

// headerText matches what may be in an Authorization header.
var headerText = regexp.MustCompile(`^[!-~]+$`)

// Lookup returns the user who has bound an address, or "".
//
// Spec: identity "Association lookup".
func (c *Client) Lookup(ctx context.Context, a Address) (id.UserID, error) {
	to := c.server(a)
	with := identityapi.Client{Doer: to}
	details, err := with.GetHashDetails(ctx, &identityapi.GetHashDetailsRequest{})
	if err != nil {
		return "", to.fail(ctx, err)
	}
	body := identityapi.LookupUsersV2Body{Pepper: details.LookupPepper}
	switch {
	case slices.Contains(details.Algorithms, "sha256"):
		sum := sha256.Sum256([]byte(a.Address + " " + a.Medium + " " + details.LookupPepper))
		body.Algorithm, body.Addresses = "sha256", []string{base64.RawURLEncoding.EncodeToString(sum[:])}
	case slices.Contains(details.Algorithms, "none"):
		body.Algorithm, body.Addresses = "none", []string{a.Address + " " + a.Medium}
	default:
		return "", to.odd(ctx, "it knows neither sha256 nor none")
	}
	found, err := with.LookupUsersV2(ctx, &identityapi.LookupUsersV2Request{Body: body})
	if err != nil {
		return "", to.fail(ctx, err)
	}
	text, ok := found.Mappings[body.Addresses[0]]
	if !ok || text == "" {
		return "", nil
	}
	user, err := id.ParseUserID(text)
	if err != nil {
		return "", to.odd(ctx, "whom it found is not a user ID")
	}
	return user, nil
}

// StoreInvite asks an identity server to store an invitation until a user binds the
// address, and to notify the address. invite describes the room and the sender; its
// address is filled in.
//
// Spec: identity "Invitation storage".
func (c *Client) StoreInvite(ctx context.Context, a Address, invite identityapi.StoreInviteV2Body) (*identityapi.StoreInviteV2Response, error) {
	to := c.server(a)
	invite.Medium, invite.Address = a.Medium, a.Address
	with := identityapi.Client{Doer: to}
	kept, err := with.StoreInviteV2(ctx, &identityapi.StoreInviteV2Request{Body: invite})
	if err != nil {
		return nil, to.fail(ctx, err)
	}
	if !inviteToken.MatchString(kept.Token) {
		return nil, to.odd(ctx, "its token is not one")
	}
	if len(kept.PublicKeys) == 0 {
		return nil, to.odd(ctx, "it gave no public key")
	}
	for _, k := range kept.PublicKeys {
		if _, err := eventauth.DecodeInviteKey(k.PublicKey); err != nil {
			return nil, to.odd(ctx, "a public key of its is not one")
		}
	}
	if first := []rune(a.Address); kept.DisplayName == "" && len(first) > 0 {
		kept.DisplayName = string(first[:1]) + "..." // redacted like other servers do
	}
	return kept, nil
}

// inviteToken matches valid tokens of invitations.
//
// Spec: identity storeInviteV2, "token".
var inviteToken = regexp.MustCompile(`^[0-9a-zA-Z.=_-]{1,255}$`)

// ConfirmKey asks whether a key is still valid, at the URL in the
// m.room.third_party_invite. Without a URL it refuses the key.
//
// Spec: client-server m.room.third_party_invite, "key_validity_url"; joinRoomById,
// "third_party_signed".
func (c *Client) ConfirmKey(ctx context.Context, key eventauth.InviteKey) error {
	if key.ValidityURL == "" {
		return nil // "the key must be considered valid indefinitely"
	}
	at, err := url.Parse(key.ValidityURL)
	if err != nil || at.Scheme != "https" || at.Host == "" || at.User != nil {
		return api.Forbidden("The third-party invite does not say where its key can be confirmed")
	}
	to := &server{client: c, base: *at, fixed: true}
	with := identityapi.Client{Doer: to}
	answer, err := with.IsPubKeyValidV2(ctx, &identityapi.IsPubKeyValidV2Request{PublicKey: key.Text})
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		to.note(ctx, err)
		return api.Forbidden("The key of the third-party invite cannot be confirmed")
	case !answer.Valid:
		return api.Forbidden("The key of the third-party invite has been revoked")
	}
	return nil
}
