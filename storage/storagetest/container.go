// SPDX-License-Identifier: Apache-2.0

package storagetest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"
)

// findDocker returns the address of a Docker engine that answers.
func findDocker() string {
	address := os.Getenv("DOCKER_HOST")
	if address == "" {
		address = "unix:///var/run/docker.sock"
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	network, where := u.Scheme, u.Host
	if network == "unix" {
		where = u.Path
	}
	conn, err := net.DialTimeout(network, where, time.Second)
	if err != nil {
		return ""
	}
	conn.Close()
	return address
}

// startContainer runs PostgreSQL in a container that ends with this process.
// A program of its own does it, so that test binaries do not link a Docker
// client: it prints the URL, and stops when its input closes.
func startContainer() (*url.URL, error) {
	cmd := exec.Command("go", "run", "touchstone.example/storage/storagetest/container")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startForLife(cmd); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("%w, %w: %s", err, cmd.Wait(), stderr.String())
	}
	return url.Parse(strings.TrimSpace(line))
}

// inputs keeps the pipes of startForLife from being collected, and so closed.
var inputs []io.Closer

// startForLife starts a program that stops when its input closes, which it
// does when this process ends, in whatever way.
func startForLife(cmd *exec.Cmd) error {
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	inputs = append(inputs, input)
	return cmd.Start()
}
