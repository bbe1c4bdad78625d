// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// An engine implements the part of the Docker Engine API that Complement uses.
type engine struct {
	dir     string // folder of the containers' files
	keep    bool   // keep the files of removed containers
	entry   string
	block   *block
	starter *starter

	mu         sync.Mutex // protects the fields below, but not the containers themselves
	networks   map[string]*network
	images     map[string]*image
	containers map[string]*container
	lastPrefix int
}

func newEngine(dir, entry string, b *block, s *starter) *engine {
	return &engine{dir: dir, entry: entry, block: b, starter: s,
		networks: map[string]*network{}, images: map[string]*image{}, containers: map[string]*container{}}
}

// close stops all servers.
func (e *engine) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.containers {
		c.kill()
	}
}

func newID() string {
	b := make([]byte, 32)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// An apiError is an error response of the API.
type apiError struct {
	status int
	msg    string
}

func (e apiError) Error() string { return e.msg }

func errorf(status int, format string, args ...any) error {
	return apiError{status, fmt.Sprintf(format, args...)}
}

func notFound(kind, id string) error {
	return errorf(http.StatusNotFound, "No such %s: %s", kind, id)
}

var apiVersion = regexp.MustCompile(`^/v[0-9.]+/`)

// handler returns the HTTP handler of the API, with or without a version in the
// path.
func (e *engine) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(*http.Request) (int, any, error){
		"GET /networks":                e.networkList,
		"POST /networks/create":        e.networkCreate,
		"DELETE /networks/{id}":        e.networkRemove,
		"GET /images/json":             e.imageList,
		"DELETE /images/{id...}":       e.imageRemove,
		"POST /commit":                 e.commit,
		"GET /containers/json":         e.containerList,
		"POST /containers/create":      e.containerCreate,
		"GET /containers/{id}/json":    e.containerInspect,
		"DELETE /containers/{id}":      e.containerRemove,
		"PUT /containers/{id}/archive": e.archivePut,
		"/":                            missing,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { answer(w)(h(r)) })
	}
	for action, h := range map[string]func(*container, *http.Request) (int, error){
		"start": e.start, "stop": e.stop, "restart": e.restart, "kill": e.killRequest, "pause": e.pause, "unpause": e.unpause,
	} {
		mux.HandleFunc("POST /containers/{id}/"+action, func(w http.ResponseWriter, r *http.Request) {
			c, err := e.container(r)
			if err != nil {
				answer(w)(0, nil, err)
				return
			}
			status, err := h(c, r)
			answer(w)(status, nil, err)
		})
	}
	mux.HandleFunc("GET /containers/{id}/logs", e.logs)
	mux.HandleFunc("GET /containers/{id}/archive", e.archiveGet)
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "OK") })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.45")
		w.Header().Set("Ostype", "linux")
		w.Header().Set("Server", "touchstone-launcher")
		if v := apiVersion.FindString(r.URL.Path); v != "" {
			r.URL.Path = r.URL.Path[len(v)-1:]
		}
		mux.ServeHTTP(w, r)
	})
}

func missing(r *http.Request) (int, any, error) {
	return 0, nil, errorf(http.StatusNotImplemented, "the launcher has no %s %s: it imitates only what Complement uses", r.Method, r.URL.Path)
}

// answer writes the result of a handler as Docker does.
func answer(w http.ResponseWriter) func(status int, body any, err error) {
	return func(status int, body any, err error) {
		if err != nil {
			status = http.StatusInternalServerError
			if ae := (apiError{}); errors.As(err, &ae) {
				status = ae.status
			}
			body = map[string]string{"message": err.Error()}
		}
		if body == nil {
			w.WriteHeader(status)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(body)
	}
}

func decode(r *http.Request, into any) error {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		return errorf(http.StatusBadRequest, "body of %s: %v", r.URL.Path, err)
	}
	return nil
}

// filterOf parses ?filters={"label":{"key=value":true}}, and the older form in
// which label is a list. Only filters on labels are supported.
func filterOf(r *http.Request) (func(labels map[string]string) bool, error) {
	text := r.FormValue("filters")
	if text == "" {
		return func(map[string]string) bool { return true }, nil
	}
	var lists map[string][]string
	if json.Unmarshal([]byte(text), &lists) != nil {
		var sets map[string]map[string]bool
		if err := json.Unmarshal([]byte(text), &sets); err != nil {
			return nil, errorf(http.StatusBadRequest, "filters: %v", err)
		}
		lists = map[string][]string{}
		for kind, set := range sets {
			lists[kind] = slices.Collect(maps.Keys(set))
		}
	}
	wanted := lists["label"]
	delete(lists, "label")
	for kind := range lists {
		return nil, errorf(http.StatusNotImplemented, "the launcher filters by label only, not by %s", kind)
	}
	return func(labels map[string]string) bool {
		for _, w := range wanted {
			key, value, exact := strings.Cut(w, "=")
			got, ok := labels[key]
			if !ok || exact && got != value {
				return false
			}
		}
		return true
	}, nil
}
