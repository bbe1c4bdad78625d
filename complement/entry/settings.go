// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// settings is the server's settings file, with those settings that differ from
// the defaults. server/config refuses unknown keys.
type settings struct {
	ServerName string `yaml:"server_name"`
	DataFolder string `yaml:"data_folder"`
	Listeners  struct {
		Client     listener `yaml:"client"`
		Federation listener `yaml:"federation"`
	} `yaml:"listeners"`
	Registration struct {
		Enabled      bool   `yaml:"enabled"`
		Guests       bool   `yaml:"guests"`
		SharedSecret string `yaml:"shared_secret"`
	} `yaml:"registration"`
	Passwords struct {
		MemoryKiB int `yaml:"memory_kib"`
		Passes    int `yaml:"passes"`
	} `yaml:"passwords"`
	Rooms struct {
		DefaultVersion string `yaml:"default_version"`
	} `yaml:"rooms"`
	Federation struct {
		TrustedCA    string `yaml:"trusted_ca_file"`
		AllowPrivate bool   `yaml:"allow_private"`
	} `yaml:"federation"`
	AppServices []string `yaml:"appservices,omitempty"`
	RateLimits  struct {
		Enabled bool `yaml:"enabled"`
	} `yaml:"rate_limits"`
	Unstable   []string `yaml:"unstable"`
	Strictness struct {
		Profile string `yaml:"profile"`
	} `yaml:"strictness"`
	Log struct {
		Format string `yaml:"format"`
	} `yaml:"log"`
}

// A listener with a certificate uses HTTPS.
type listener struct {
	Address     string `yaml:"address"`
	Certificate string `yaml:"tls_cert_file,omitempty"`
	Key         string `yaml:"tls_key_file,omitempty"`
}

// contract returns the settings that are the same for all servers in all runs.
func contract() settings {
	var s settings
	s.Registration.Enabled = true
	s.Registration.Guests = true
	s.Registration.SharedSecret = "complement" // how Complement registers administrators
	s.Passwords.MemoryKiB = 8                  // tests register hundreds of accounts
	s.Passwords.Passes = 1
	s.Unstable = []string{"msc3930"} // the packages of tests of proposals
	s.Rooms.DefaultVersion = "11"    // many tests name the creator in power levels, which 12 forbids
	s.Federation.AllowPrivate = true // all servers of a run have private addresses
	s.RateLimits.Enabled = false     // tests send many requests quickly
	s.Strictness.Profile = "synapse" // a few assertions follow deployed servers, not the specification
	s.Log.Format = "text"            // people read it, in the output of a failed test
	return s
}

// encode returns the settings as YAML.
func (s settings) encode() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Written at each start from what Complement says. TOUCHSTONE_... variables win over it.\n")
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(s); err != nil {
		return nil, err
	}
	return b.Bytes(), enc.Close()
}
