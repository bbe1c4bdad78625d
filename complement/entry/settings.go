// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// Settings is the server's settings file, as far as Complement asks for
// something other than a default. The keys are those of server/config, which
// refuses any that it does not know.
type Settings struct {
	ServerName   string       `yaml:"server_name"`
	DataFolder   string       `yaml:"data_folder"`
	Listeners    Listeners    `yaml:"listeners"`
	Registration Registration `yaml:"registration"`
	Passwords    Passwords    `yaml:"passwords"`
	Federation   Federation   `yaml:"federation"`
	AppServices  []string     `yaml:"appservices,omitempty"`
	RateLimits   RateLimits   `yaml:"rate_limits"`
	Strictness   Strictness   `yaml:"strictness"`
	Log          Log          `yaml:"log"`
}

// Listeners are the two ports that Complement publishes.
type Listeners struct {
	Client     Listener `yaml:"client"`
	Federation Listener `yaml:"federation"`
}

// A Listener with a certificate speaks HTTPS.
type Listener struct {
	Address     string `yaml:"address"`
	Certificate string `yaml:"tls_cert_file,omitempty"`
	Key         string `yaml:"tls_key_file,omitempty"`
}

// Registration is open to all; administrators come by the shared secret.
type Registration struct {
	Enabled      bool   `yaml:"enabled"`
	Guests       bool   `yaml:"guests"`
	SharedSecret string `yaml:"shared_secret"`
}

// Passwords are as cheap as can be: tests make hundreds of accounts.
type Passwords struct {
	MemoryKiB int `yaml:"memory_kib"`
	Passes    int `yaml:"passes"`
}

// Federation trusts Complement's authority and reaches its private addresses.
type Federation struct {
	TrustedCA    string `yaml:"trusted_ca_file"`
	AllowPrivate bool   `yaml:"allow_private"`
}

// RateLimits are off, since tests do everything quickly.
type RateLimits struct {
	Enabled bool `yaml:"enabled"`
}

// Strictness names the profile: in a few places Complement asserts what
// deployed servers do where the specification says otherwise.
type Strictness struct {
	Profile string `yaml:"profile"`
}

// Log is read by people, in the output of failed tests.
type Log struct {
	Format string `yaml:"format"`
}

// YAML writes the file.
func (s Settings) YAML() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Written at each start from what Complement says. TOUCHSTONE_... variables win over it.\n")
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(s); err != nil {
		return nil, err
	}
	return b.Bytes(), enc.Close()
}
