// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint: the algorithm is the protocol's
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"golang.org/x/term"

	"touchstone.example/server/config"
)

const registerPath = "/_synapse/admin/v1/register"

// maxLine bounds the line that is read as a password. Servers accept less.
const maxLine = 1 << 16

// registerUser creates an account with the shared secret of the settings, on a
// server that runs with the same settings.
func registerUser(ctx context.Context, args []string) error {
	fs := flags("register-user")
	settings := config.BindFlags(fs, "listen")
	user := fs.String("user", "", "the `localpart` of the new user, such as alice (required)")
	passwordFile := fs.String("password-file", "", "read the password from the first line of this `file` (default: standard input)")
	admin := fs.Bool("admin", false, "make the user an administrator")
	url := fs.String("url", "", "the `URL` of the server (default: the client listener of the settings)")
	if err := parse(fs, args); err != nil {
		return err
	}
	if *user == "" {
		return missingFlag("user")
	}
	cfg, err := config.Load(config.Sources{Env: os.Environ(), Flags: settings})
	if err != nil {
		return fmt.Errorf("settings:\n%w", err)
	}
	if cfg.Registration.SharedSecret == "" {
		return errors.New("the settings have no registration.shared_secret; set one (or registration.shared_secret_file) and start the server with it")
	}
	password, err := readPassword(*passwordFile)
	if err != nil {
		return err
	}
	client := http.DefaultClient
	if *url == "" {
		*url, client = ownServer(cfg)
	}
	userID, err := register(ctx, client, *url, string(cfg.Registration.SharedSecret), *user, password, *admin)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%s is registered.\n", userID)
	return nil
}

func readPassword(file string) (string, error) {
	if stdin := int(os.Stdin.Fd()); file == "" && term.IsTerminal(stdin) {
		return typePassword(func() ([]byte, error) { return term.ReadPassword(stdin) })
	}
	in := io.Reader(os.Stdin)
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read password: %w", err)
	}
	password := strings.TrimRight(line, "\r\n")
	switch {
	case password == "":
		return "", errors.New("the password is empty")
	case len(line) == maxLine:
		return "", fmt.Errorf("the password is longer than %d bytes", maxLine)
	}
	return password, nil
}

// typePassword asks for a password twice, since it is not shown.
func typePassword(read func() ([]byte, error)) (string, error) {
	var typed [2]string
	for i, prompt := range [...]string{"Password: ", "Once more: "} {
		fmt.Fprint(os.Stderr, prompt)
		b, err := read()
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		typed[i] = string(b)
	}
	switch {
	case typed[0] != typed[1]:
		return "", errors.New("the two passwords differ")
	case typed[0] == "":
		return "", errors.New("the password is empty")
	}
	return typed[0], nil
}

// register asks for a nonce and proves that it knows the secret.
func register(ctx context.Context, client *http.Client, url, secret, user, password string, admin bool) (string, error) {
	var nonce struct{ Nonce string }
	if err := call(ctx, client, http.MethodGet, url+registerPath, nil, &nonce); err != nil {
		return "", err
	}
	role := "notadmin"
	if admin {
		role = "admin"
	}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(strings.Join([]string{nonce.Nonce, user, password, role}, "\x00")))
	var made struct {
		UserID string `json:"user_id"`
	}
	err := call(ctx, client, http.MethodPost, url+registerPath, map[string]any{
		"nonce": nonce.Nonce, "username": user, "password": password, "admin": admin,
		"mac": hex.EncodeToString(mac.Sum(nil)),
	}, &made)
	return made.UserID, err
}

// call makes one JSON request.
func call(ctx context.Context, client *http.Client, method, url string, body, answer any) error {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, in)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the server (is it running?): %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answered %s: %s", resp.Status, bytes.TrimSpace(b))
	}
	return json.Unmarshal(b, answer)
}
