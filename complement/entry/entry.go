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
	s := contract()
	s.ServerName = env.ServerName
	s.DataFolder = env.Data
	s.Listeners.Client.Address = net.JoinHostPort(env.Bind.String(), clientPort)
	s.Listeners.Federation = listener{
		Address:     net.JoinHostPort(env.Bind.String(), federationPort),
		Certificate: filepath.Join(env.Data, "tls", "leaf.crt"),
		Key:         filepath.Join(env.Data, "tls", "leaf.key"),
	}
	s.Federation.TrustedCA = filepath.Join(env.Complement, "ca", "ca.crt")
	if s.AppServices, err = appServices(filepath.Join(env.Complement, "appservice")); err != nil {
		return "", fmt.Errorf("list application services: %w", err)
	}
	ca, err := loadAuthority(s.Federation.TrustedCA, filepath.Join(env.Complement, "ca", "ca.key"))
	if err != nil {
		return "", err
	}
	cert, key, err := ca.sign(env.ServerName, now)
	if err != nil {
		return "", fmt.Errorf("make the certificate of %s: %w", env.ServerName, err)
	}
	text, err := s.encode()
	if err != nil {
		return "", fmt.Errorf("write settings: %w", err)
	}
	settingsFile = filepath.Join(env.Data, "touchstone.yaml")
	return settingsFile, errors.Join(
		write(s.Listeners.Federation.Certificate, cert),
		write(s.Listeners.Federation.Key, key),
		write(settingsFile, text))
}

func write(file string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o600)
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
