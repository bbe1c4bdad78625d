// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
)

// An image is a folder; containers start with a copy of it.
type image struct {
	id     string
	tags   []string
	labels map[string]string
	dir    string
	owned  bool // made by commit, and deleted with the image
}

func (e *engine) addImage(i *image) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.images[i.id] = i
}

func (e *engine) imageList(r *http.Request) (int, any, error) {
	match, err := filterOf(r)
	if err != nil {
		return 0, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []any{}
	for _, i := range e.images {
		if match(i.labels) {
			out = append(out, map[string]any{"Id": i.id, "RepoTags": i.tags, "Labels": i.labels})
		}
	}
	return http.StatusOK, out, nil
}

func (e *engine) imageRemove(r *http.Request) (int, any, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := e.images[r.PathValue("id")]
	if i == nil {
		return 0, nil, notFound("image", r.PathValue("id"))
	}
	delete(e.images, i.id)
	if !i.owned {
		return http.StatusOK, []any{}, nil
	}
	return http.StatusOK, []any{}, os.RemoveAll(i.dir)
}

// labelChange is the only kind of change to an image that Complement requests.
var labelChange = regexp.MustCompile(`(?s)^LABEL "(.*?)"="(.*)"$`)

// commit makes an image from a stopped container.
func (e *engine) commit(r *http.Request) (int, any, error) {
	c, err := e.find(r.FormValue("container"))
	if err != nil {
		return 0, nil, err
	}
	i := &image{id: "sha256:" + newID(), labels: maps.Clone(c.labels), owned: true,
		tags: []string{r.FormValue("repo") + ":" + r.FormValue("tag")}}
	for _, change := range r.Form["changes"] {
		m := labelChange.FindStringSubmatch(change)
		if m == nil {
			return 0, nil, errorf(http.StatusNotImplemented, "the launcher adds labels to images, and nothing else: %s", change)
		}
		i.labels[m[1]] = m[2]
	}
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	if c.running() {
		return 0, nil, errorf(http.StatusConflict, "container %s is running: stop it first, so that its files are whole", c.name)
	}
	i.dir = filepath.Join(e.dir, "image-"+i.id[len("sha256:"):][:12])
	if err := cloneTree(c.dir, i.dir); err != nil {
		return 0, nil, err
	}
	e.addImage(i)
	return http.StatusCreated, map[string]string{"Id": i.id}, nil
}
