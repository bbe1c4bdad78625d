// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
)

const (
	clientPort     = "8008"
	federationPort = "8448"
)

// A block is the 127.N.0.0/16 that a launcher uses while it runs. It listens on
// both ports of the last address, so that other launchers cannot take the
// block.
type block struct {
	octet int
	held  []net.Listener
}

// reserveBlock reserves the first free block.
func reserveBlock() (*block, error) {
	var last error
	for n := 64; n < 128; n++ {
		b := &block{octet: n}
		if last = b.hold(); last == nil {
			return b, nil
		}
		b.release()
	}
	return nil, fmt.Errorf("no loopback address has ports %s and %s free, so another program listens on them on all addresses: %w",
		clientPort, federationPort, last)
}

func (b *block) hold() error {
	for _, port := range []string{clientPort, federationPort} {
		l, err := net.Listen("tcp", fmt.Sprintf("127.%d.255.254:%s", b.octet, port))
		if err != nil {
			return err
		}
		b.held = append(b.held, l)
	}
	return nil
}

func (b *block) release() {
	for _, l := range b.held {
		l.Close()
	}
}

// Servers named hs1 to hs19 have fixed addresses that are known from the start:
// a server that looked a name up too early would cache that it does not exist.
const (
	namedServers = 19
	firstNamed   = 2   // the last octet of hs1
	firstOther   = 100 // the last octet of the first server with another name
	lastOther    = 254
)

// A network is a /24 with the names in it.
type network struct {
	id, name string
	labels   map[string]string
	prefix   string // "127.64.3."
	names    map[string]string
	next     int // last octet for the next name that is not hsN
}

func newNetwork(name string, labels map[string]string, prefix string) *network {
	n := &network{id: newID(), name: name, labels: labels, prefix: prefix, names: map[string]string{}, next: firstOther}
	for i := range namedServers {
		n.names[fmt.Sprintf("hs%d", i+1)] = fmt.Sprintf("%s%d", prefix, firstNamed+i)
	}
	return n
}

// join returns the address for a server with these names: the one that they
// already have, else a new one.
func (n *network) join(aliases []string) (string, error) {
	for _, known := range aliases {
		if ip := n.names[known]; ip != "" {
			n.lead(aliases, ip)
			return ip, nil
		}
	}
	return n.move(aliases)
}

// move assigns a new address to the names.
func (n *network) move(aliases []string) (string, error) {
	if n.next > lastOther {
		return "", errorf(http.StatusConflict, "network %s is full", n.name)
	}
	ip := fmt.Sprintf("%s%d", n.prefix, n.next)
	n.next++
	n.lead(aliases, ip)
	return ip, nil
}

func (n *network) lead(aliases []string, ip string) {
	for _, a := range aliases {
		n.names[a] = ip
	}
}

// ---- the API ----

func (e *engine) networkList(r *http.Request) (int, any, error) {
	match, err := filterOf(r)
	if err != nil {
		return 0, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []any{}
	for _, n := range e.networks {
		if match(n.labels) {
			out = append(out, map[string]any{"Id": n.id, "Name": n.name, "Labels": n.labels, "Driver": "bridge", "Scope": "local"})
		}
	}
	return http.StatusOK, out, nil
}

func (e *engine) networkCreate(r *http.Request) (int, any, error) {
	var req struct {
		Name   string
		Labels map[string]string
	}
	if err := decode(r, &req); err != nil {
		return 0, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	prefix, err := e.freePrefix()
	if err != nil {
		return 0, nil, err
	}
	n := newNetwork(req.Name, req.Labels, prefix)
	e.networks[n.id] = n
	return http.StatusCreated, map[string]string{"Id": n.id, "Warning": ""}, nil
}

// freePrefix returns the next free prefix of the block in turn, so that a
// prefix is not reused soon.
func (e *engine) freePrefix() (string, error) {
	used := map[string]bool{}
	for _, n := range e.networks {
		used[n.prefix] = true
	}
	for range 255 {
		prefix := fmt.Sprintf("127.%d.%d.", e.block.octet, e.lastPrefix)
		e.lastPrefix = (e.lastPrefix + 1) % 255
		if !used[prefix] {
			return prefix, nil
		}
	}
	return "", errors.New("255 networks exist, and there is room for no more")
}

func (e *engine) networkRemove(r *http.Request) (int, any, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.networks[r.PathValue("id")]
	if n == nil {
		return 0, nil, notFound("network", r.PathValue("id"))
	}
	var active []string
	for _, c := range e.containers {
		if c.net == n && c.running() {
			active = append(active, c.name)
		}
	}
	if len(active) > 0 {
		return 0, nil, errorf(http.StatusForbidden, "network %s has active endpoints: %s", n.name, strings.Join(active, ", "))
	}
	delete(e.networks, n.id)
	return http.StatusNoContent, nil, nil
}
