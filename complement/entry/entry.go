// SPDX-License-Identifier: Apache-2.0

// Package entry prepares a Complement container before the server starts: it
// reads the environment variables and files that Complement provides, makes a
// certificate, and writes the server's settings file. It does not start the
// server, and knows only the keys of its settings.
//
// The requirements are in Complement's README, under "Image requirements" and
// "Complement PKI".
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

// An Environment is what Complement provides to a container.
type Environment struct {
	ServerName string     // SERVER_NAME: hs1, hs2, ...
	Bind       netip.Addr // BIND_ADDRESS: all addresses, except with our launcher, which runs servers without containers
	Complement string     // the folder that Complement fills: /complement
	Data       string     // the folder that is kept for the lifetime of the container: /data
}

// Read reads the environment from environment variables.
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

// Prepare makes the server's certificate and settings file, and returns the
// name of the settings file. Data that must survive a restart goes to env.Data;
// data that belongs to one run of Complement is made again at each start.
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

// appServices lists the registration files in a folder. The folder exists only
// if there are any.
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
