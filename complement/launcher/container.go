// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A container is a copy of an image's files, with the process that runs in it,
// if any.
type container struct {
	id, name string
	image    string
	labels   map[string]string
	env      []string
	hosts    []string // lines "address name" for /etc/hosts, in addition to those of the network
	dir      string
	net      *network
	aliases  []string
	ip       string // protected by the engine's mutex
	created  time.Time

	lifecycle sync.Mutex // held during start, stop and commit

	mu        sync.Mutex // protects the fields below
	proc      *process   // the most recent process
	paused    bool
	hostPorts map[string]string // "8008/tcp" to the port on 127.0.0.1; kept across restarts
}

// containerRequest is the body of a request to create a container.
type containerRequest struct {
	Image      string
	Env        []string
	Labels     map[string]string
	HostConfig struct {
		ExtraHosts []string
		Mounts     []struct{ Source, Target string }
		NanoCPUs   int64 `json:"NanoCpus"`
		Memory     int64
	}
	NetworkingConfig struct {
		EndpointsConfig map[string]struct{ Aliases []string }
	}
}

// containerName is the syntax that Docker allows; we use the name for a folder.
var containerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

func (e *engine) containerCreate(r *http.Request) (int, any, error) {
	var req containerRequest
	if err := decode(r, &req); err != nil {
		return 0, nil, err
	}
	if len(req.HostConfig.Mounts) > 0 {
		return 0, nil, errorf(http.StatusNotImplemented, "the launcher mounts nothing into servers: unset COMPLEMENT_HOST_MOUNTS")
	}
	warnings := []string{}
	if req.HostConfig.NanoCPUs != 0 || req.HostConfig.Memory != 0 {
		warnings = append(warnings, "the launcher does not limit processors or memory")
	}
	name := r.FormValue("name")
	if !containerName.MatchString(name) {
		return 0, nil, errorf(http.StatusBadRequest, "%q is no name for a container", name)
	}
	hosts, err := extraHosts(req.HostConfig.ExtraHosts)
	if err != nil {
		return 0, nil, err
	}
	c := &container{id: newID(), name: name, image: req.Image, labels: map[string]string{},
		env: req.Env, hosts: hosts, created: time.Now(), hostPorts: map[string]string{}}
	c.dir = filepath.Join(e.dir, c.name+"-"+c.id[:12])
	files, err := e.register(c, req)
	if err == nil {
		err = cloneTree(files, c.dir)
	}
	if err != nil {
		e.forget(c)
		return 0, nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	return http.StatusCreated, map[string]any{"Id": c.id, "Warnings": warnings}, nil
}

// register assigns the name, labels and address of a container, and returns the
// folder of its image.
func (e *engine) register(c *container, req containerRequest) (files string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	img := e.imageNamed(req.Image)
	if img == nil {
		return "", notFound("image", req.Image)
	}
	for _, other := range e.containers {
		if other.name == c.name {
			return "", errorf(http.StatusConflict, "the container name %s is in use", c.name)
		}
	}
	maps.Copy(c.labels, img.labels)
	maps.Copy(c.labels, req.Labels)
	for name, endpoint := range req.NetworkingConfig.EndpointsConfig {
		for _, n := range e.networks {
			if n.name != name && n.id != name {
				continue
			}
			if c.ip, err = n.join(endpoint.Aliases); err != nil {
				return "", err
			}
			c.net, c.aliases = n, endpoint.Aliases
		}
		if c.net == nil {
			return "", notFound("network", name)
		}
	}
	if c.net == nil {
		return "", errorf(http.StatusBadRequest, "the container %s is in no network", c.name)
	}
	e.containers[c.id] = c
	return img.dir, nil
}

func (e *engine) imageNamed(name string) *image {
	for _, i := range e.images {
		if i.id == name {
			return i
		}
		for _, tag := range i.tags {
			if tag == name || tag == name+":latest" {
				return i
			}
		}
	}
	return nil
}

// extraHosts converts "name:address" to lines of /etc/hosts. The address
// host-gateway, which is Docker's name for the host, becomes 127.0.0.1.
func extraHosts(extra []string) ([]string, error) {
	var lines []string
	for _, h := range extra {
		name, addr, ok := strings.Cut(h, ":")
		if !ok {
			return nil, errorf(http.StatusBadRequest, "an extra host is name:address, not %s", h)
		}
		if addr == "host-gateway" {
			addr = "127.0.0.1"
		}
		lines = append(lines, addr+" "+name)
	}
	return lines, nil
}

// find returns the container with an ID, a unique prefix of an ID, or a name.
func (e *engine) find(ref string) (*container, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.containers[ref]; c != nil {
		return c, nil
	}
	var found []*container
	for _, c := range e.containers {
		if c.name == ref {
			return c, nil
		}
		if ref != "" && strings.HasPrefix(c.id, ref) {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return nil, notFound("container", ref)
	}
	return found[0], nil
}

func (e *engine) container(r *http.Request) (*container, error) { return e.find(r.PathValue("id")) }

func (e *engine) forget(c *container) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.containers, c.id)
}

func (e *engine) containerList(r *http.Request) (int, any, error) {
	match, err := filterOf(r)
	if err != nil {
		return 0, nil, err
	}
	all := r.FormValue("all") == "1" || r.FormValue("all") == "true"
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []any{}
	for _, c := range e.containers {
		status := c.status()
		if match(c.labels) && (all || status == "running" || status == "paused") {
			out = append(out, map[string]any{"Id": c.id, "Names": []string{"/" + c.name}, "Image": c.image,
				"Labels": c.labels, "State": status, "Status": status, "Created": c.created.Unix()})
		}
	}
	return http.StatusOK, out, nil
}

func (e *engine) containerInspect(r *http.Request) (int, any, error) {
	c, err := e.container(r)
	if err != nil {
		return 0, nil, err
	}
	e.mu.Lock()
	ip := c.ip
	e.mu.Unlock()
	status := c.status()
	running := status == "running" || status == "paused"
	c.mu.Lock()
	defer c.mu.Unlock()
	ports := map[string]any{}
	pid, exit := 0, 0
	if running {
		pid = c.proc.pid
		for port, host := range c.hostPorts {
			ports[port] = []map[string]string{{"HostIp": "127.0.0.1", "HostPort": host}}
		}
	} else if c.proc != nil {
		exit = c.proc.exit
	}
	return http.StatusOK, map[string]any{
		"Id": c.id, "Name": "/" + c.name, "Image": c.image, "Created": c.created.Format(time.RFC3339Nano),
		"State":           map[string]any{"Status": status, "Running": running, "Paused": status == "paused", "Pid": pid, "ExitCode": exit},
		"Config":          map[string]any{"Labels": c.labels, "Env": c.env, "Image": c.image},
		"NetworkSettings": map[string]any{"Ports": ports, "Networks": map[string]any{c.net.name: map[string]any{"IPAddress": ip}}},
	}, nil
}

func (e *engine) containerRemove(r *http.Request) (int, any, error) {
	c, err := e.container(r)
	if err != nil {
		return 0, nil, err
	}
	if force := r.FormValue("force"); c.running() && force != "1" && force != "true" {
		return 0, nil, errorf(http.StatusConflict, "container %s is running: stop it first, or force", c.name)
	}
	c.kill()
	e.forget(c)
	if e.keep {
		return http.StatusNoContent, nil, nil
	}
	if err := errors.Join(os.RemoveAll(c.dir), os.RemoveAll(c.logFile())); err != nil {
		return 0, nil, fmt.Errorf("remove the files of %s: %w", c.name, err)
	}
	return http.StatusNoContent, nil, nil
}
