// SPDX-License-Identifier: Apache-2.0

// Package entry is what happens in a Complement container before the server
// starts: it reads what Complement says through the environment and the files
// it put there, makes this start's certificate, and writes the settings of the
// server. It starts nothing and knows nothing of the server but the keys of
// its settings file.
//
// Complement's side of the contract is in its README, under "Image
// requirements" and "Complement PKI".
package entry

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The ports that Complement publishes.
const (
	clientPort     = "8008" // plain HTTP
	federationPort = "8448" // HTTPS
)

// sharedSecret is what Complement signs its administrators' registrations with.
const sharedSecret = "complement"

// An Environment is what a container finds when it starts.
type Environment struct {
	ServerName string     // SERVER_NAME: hs1, hs2, ...
	Bind       netip.Addr // BIND_ADDRESS: every address, unless a launcher without containers says one
	Complement string     // the folder that Complement fills, /complement
	Data       string     // the folder that lives as long as the container, /data
}

// Read takes the environment from the variables of a process.
func Read(getenv func(string) string) (Environment, error) {
	env := Environment{
		ServerName: getenv("SERVER_NAME"),
		Bind:       netip.IPv4Unspecified(),
		Complement: "/complement",
		Data:       "/data",
	}
	if env.ServerName == "" {
		return env, errors.New("SERVER_NAME is not set: this image is started by Complement, which sets it")
	}
	if bind := getenv("BIND_ADDRESS"); bind != "" {
		var err error
		if env.Bind, err = netip.ParseAddr(bind); err != nil {
			return env, fmt.Errorf("BIND_ADDRESS: %w", err)
		}
	}
	return env, nil
}

// Prepare makes the certificate of this start and the server's settings, and
// returns the name of the settings file. What a restart must find again is in
// env.Data; what depends on the run of Complement is made anew.
func Prepare(env Environment, now time.Time) (settingsFile string, err error) {
	ca := filepath.Join(env.Complement, "ca", "ca.crt")
	authority, err := LoadAuthority(ca, filepath.Join(env.Complement, "ca", "ca.key"))
	if err != nil {
		return "", err
	}
	leaf, err := authority.Leaf(env.ServerName, now)
	if err != nil {
		return "", fmt.Errorf("make the certificate of %s: %w", env.ServerName, err)
	}
	services, err := appServices(filepath.Join(env.Complement, "appservice"))
	if err != nil {
		return "", fmt.Errorf("list application services: %w", err)
	}
	cert, key := filepath.Join(env.Data, "tls", "leaf.crt"), filepath.Join(env.Data, "tls", "leaf.key")
	text, err := Settings{
		ServerName: env.ServerName,
		DataFolder: env.Data,
		Listeners: Listeners{
			Client:     Listener{Address: net.JoinHostPort(env.Bind.String(), clientPort)},
			Federation: Listener{Address: net.JoinHostPort(env.Bind.String(), federationPort), Certificate: cert, Key: key},
		},
		Registration: Registration{Enabled: true, Guests: true, SharedSecret: sharedSecret},
		Passwords:    Passwords{MemoryKiB: 8, Passes: 1},
		Federation:   Federation{TrustedCA: ca, AllowPrivate: true},
		AppServices:  services,
		RateLimits:   RateLimits{Enabled: false},
		Strictness:   Strictness{Profile: "synapse"},
		Log:          Log{Format: "text"},
	}.YAML()
	if err != nil {
		return "", fmt.Errorf("write settings: %w", err)
	}
	settingsFile = filepath.Join(env.Data, "touchstone.yaml")
	for _, f := range []struct {
		name    string
		content []byte
	}{{cert, leaf.Certificate}, {key, leaf.Key}, {settingsFile, text}} {
		if err := os.MkdirAll(filepath.Dir(f.name), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(f.name, f.content, 0o600); err != nil {
			return "", err
		}
	}
	return settingsFile, nil
}

// appServices lists the registrations that Complement put into a folder, which
// it makes only when it has any.
func appServices(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".yaml" {
			files = append(files, filepath.Join(folder, e.Name()))
		}
	}
	slices.Sort(files)
	return files, nil
}
