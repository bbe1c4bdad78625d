// SPDX-License-Identifier: Apache-2.0

// Package config is the server's settings: their names, their defaults, and how they
// are read from one YAML file, the environment and the command line. It opens no
// database and no listener; only cmd reads flags.
package config

import (
	_ "embed"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"touchstone.example/api/id"
	"touchstone.example/server/roomver"
)

// Config is every setting. The yaml tags name the keys; an environment variable is
// TOUCHSTONE_ and the key path in capitals, such as
// TOUCHSTONE_LISTENERS_CLIENT_ADDRESS. example.yaml explains each of them.
type Config struct {
	ServerName   id.ServerName `yaml:"server_name"`
	Database     Secret        `yaml:"database"`
	DatabaseFile string        `yaml:"database_file"`
	DataFolder   string        `yaml:"data_folder"`
	Listeners    Listeners     `yaml:"listeners"`
	WellKnown    WellKnown     `yaml:"well_known"`
	Registration Registration  `yaml:"registration"`
	Passwords    Passwords     `yaml:"passwords"`
	Rooms        Rooms         `yaml:"rooms"`
	Federation   Federation    `yaml:"federation"`
	AppServices  []string      `yaml:"appservices"`
	Presence     Presence      `yaml:"presence"`
	RateLimits   RateLimits    `yaml:"rate_limits"`
	Strictness   Strictness    `yaml:"strictness"`
	Unstable     []string      `yaml:"unstable"`
	Log          Log           `yaml:"log"`
	Lab          bool          `yaml:"lab"`
	Seed         string        `yaml:"seed"`
	Clock        string        `yaml:"clock"`
	ReadyFile    string        `yaml:"ready_file"`

	// Notes are remarks about the settings that are not errors, such as an unknown
	// environment variable.
	Notes []string `yaml:"-"`
}

// Secret is a setting that must not be printed. It is printed as asterisks; convert it
// to a string to use it.
type Secret string

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the secret from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Listeners are the addresses, host:port, that the server listens on. An empty address
// means no such listener.
type Listeners struct {
	Client     TLSListener `yaml:"client"`
	Federation TLSListener `yaml:"federation"`
	Metrics    Listener    `yaml:"metrics"`
	Lab        LabListener `yaml:"lab"`
	// TrustedProxies are addresses and networks (CIDR) whose X-Forwarded-For
	// is believed.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// BodyTimeout is how long the body of a request may take to arrive.
	BodyTimeout Duration `yaml:"body_timeout"`
	// WriteTimeout is how long a client may read nothing of its answer.
	WriteTimeout Duration `yaml:"write_timeout"`
}

// Proxies returns TrustedProxies as networks, without invalid ones.
func (l *Listeners) Proxies() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range l.TrustedProxies {
		if p, err := network(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// network parses an address or a network.
func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Prefix(a.BitLen())
	}
	return netip.ParsePrefix(text)
}

// Listener is one address without encryption.
type Listener struct {
	Address string `yaml:"address"`
}

// LabListener is that of the control plane of lab mode.
type LabListener struct {
	Address string `yaml:"address"`
	// AnyoneMayControl is what an address that others can reach needs besides.
	AnyoneMayControl bool `yaml:"anyone_may_control"`
}

// Loopback reports whether the control plane can be reached from this machine
// only.
func (l LabListener) Loopback() bool { return isLoopback(l.Address) }

// TLSListener is one address, encrypted if it has a certificate.
type TLSListener struct {
	Address     string `yaml:"address"`
	TLSCertFile string `yaml:"tls_cert_file"`
	TLSKeyFile  string `yaml:"tls_key_file"`
}

// Duration is a time span as Go writes it: 300ms, 60s, 5m.
type Duration time.Duration

// UnmarshalText reads a span.
func (d *Duration) UnmarshalText(text []byte) error {
	span, err := time.ParseDuration(string(text))
	if err == nil && span <= 0 {
		err = fmt.Errorf("%s is no time at all", span)
	}
	*d = Duration(span)
	return err
}

// MarshalText writes a span.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// WellKnown is what /.well-known/matrix answers; an empty one is not found.
type WellKnown struct {
	Client string `yaml:"client"` // a base URL
	Server string `yaml:"server"` // host:port
}

// Registration is who may create an account.
type Registration struct {
	Enabled          bool   `yaml:"enabled"`
	Token            Secret `yaml:"token"`
	TokenFile        string `yaml:"token_file"`
	SharedSecret     Secret `yaml:"shared_secret"`
	SharedSecretFile string `yaml:"shared_secret_file"`
	Guests           bool   `yaml:"guests"`
}

// Passwords is the cost of an argon2id hash.
type Passwords struct {
	MemoryKiB   int `yaml:"memory_kib"`
	Passes      int `yaml:"passes"`
	Threads     int `yaml:"threads"`
	Concurrency int `yaml:"concurrency"` // hashes at a time; 0 is one for every two processors
}

// Rooms are the settings of new rooms.
type Rooms struct {
	DefaultVersion string `yaml:"default_version"` // if the client names none
}

// Federation are the settings for other servers.
type Federation struct {
	TrustedCAFile string `yaml:"trusted_ca_file"`
	AllowPrivate  bool   `yaml:"allow_private"`
}

// Presence says whether users are told who is there.
type Presence struct {
	Enabled bool `yaml:"enabled"`
}

// RateLimits turns the limits on requests on and off.
type RateLimits struct {
	Enabled bool `yaml:"enabled"`
}

// Strictness chooses how strictly the specification is applied where deployed software
// departs from it.
type Strictness struct {
	Profile string            `yaml:"profile"` // strict, lenient or synapse
	Rules   map[string]string `yaml:"rules"`   // rule id to enforce, report or off
	Answers bool              `yaml:"answers"` // whether the server's own answers are checked
}

// Log is what is logged, and how.
type Log struct {
	Level  slog.Level `yaml:"level"`
	Format string     `yaml:"format"` // auto, text or json
}

// Default returns the default settings: the server listens on this machine only, stores
// its data in a folder of the working directory, and registration is closed.
func Default() *Config {
	return &Config{
		ServerName: "localhost",
		DataFolder: "touchstone-data",
		Listeners: Listeners{
			Client:         TLSListener{Address: "127.0.0.1:8008"},
			TrustedProxies: []string{"127.0.0.0/8", "::1"},
			BodyTimeout:    Duration(time.Minute),
			WriteTimeout:   Duration(30 * time.Second),
		},
		Passwords:  Passwords{MemoryKiB: 19456, Passes: 2, Threads: 1},
		Rooms:      Rooms{DefaultVersion: roomver.Default},
		Presence:   Presence{Enabled: true},
		RateLimits: RateLimits{Enabled: true},
		Strictness: Strictness{Profile: "lenient"},
		Log:        Log{Format: "auto"},
	}
}

// LabDefault returns the default settings of lab mode: data is temporary, anyone can
// register, nothing is rate-limited, password hashes are cheap, and requests are
// checked strictly against the specification.
func LabDefault() *Config {
	c := Default()
	c.Lab = true
	c.Database = "sqlite::memory:"
	c.DataFolder = ""
	c.Listeners.Lab.Address = "127.0.0.1:8009"
	c.Registration.Enabled = true
	c.Registration.Guests = true
	c.Passwords = Passwords{MemoryKiB: 8, Passes: 1, Threads: 1}
	c.Federation.AllowPrivate = true
	c.Presence.Enabled = false
	c.RateLimits.Enabled = false
	c.Strictness = Strictness{Profile: "strict", Answers: true}
	return c
}

// DatabaseURL returns the database to open: the setting, or else a SQLite file
// in the data folder.
func (c *Config) DatabaseURL() (string, error) {
	if c.Database != "" {
		return string(c.Database), nil
	}
	if c.DataFolder == "" {
		return "sqlite::memory:", nil
	}
	path, err := filepath.Abs(filepath.Join(c.DataFolder, "touchstone.db"))
	if err != nil {
		return "", fmt.Errorf("place of the database: %w", err)
	}
	return "sqlite://" + filepath.ToSlash(path), nil
}

// Loopback reports whether the server can be reached from this machine only.
func (c *Config) Loopback() bool {
	return isLoopback(c.Listeners.Client.Address) &&
		(c.Listeners.Federation.Address == "" || isLoopback(c.Listeners.Federation.Address))
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// isPrivate reports whether the address certainly cannot be reached from the internet.
func isPrivate(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return isLoopback(address) || ip != nil && (ip.IsPrivate() || ip.IsLinkLocalUnicast())
}

//go:embed example.yaml
var example string

// Generate writes a file with every setting: explained, commented out, with its
// default.
func Generate(w io.Writer) error {
	_, err := io.WriteString(w, example)
	return err
}
