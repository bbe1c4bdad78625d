// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"archive/tar"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// inside converts a path of a container to a path for os.Root, which refuses
// paths that leave the container by ".." or by a link.
func inside(name string) string {
	return filepath.FromSlash(strings.TrimPrefix(path.Join("/", name), "/"))
}

// archivePut unpacks a tar archive to a folder of the container.
func (e *engine) archivePut(r *http.Request) (int, any, error) {
	c, err := e.container(r)
	if err != nil {
		return 0, nil, err
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return 0, nil, err
	}
	defer root.Close()
	archive := tar.NewReader(r.Body)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return http.StatusOK, nil, nil
		}
		if err != nil {
			return 0, nil, errorf(http.StatusBadRequest, "archive: %v", err)
		}
		if err := unpack(root, inside(path.Join(r.FormValue("path"), h.Name)), h, archive); err != nil {
			return 0, nil, err
		}
	}
}

func unpack(root *os.Root, name string, h *tar.Header, content io.Reader) error {
	perm := h.FileInfo().Mode().Perm()
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, perm)
	case tar.TypeReg:
	default:
		return errorf(http.StatusNotImplemented, "archive: %s is neither a file nor a folder", h.Name)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, perm)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// archiveGet responds with a tar archive of a file or folder. For HEAD, only a
// header with the file's metadata is sent.
func (e *engine) archiveGet(w http.ResponseWriter, r *http.Request) {
	c, err := e.container(r)
	if err != nil {
		answer(w)(0, nil, err)
		return
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		answer(w)(0, nil, err)
		return
	}
	defer root.Close()
	name := inside(r.FormValue("path"))
	if name == "" {
		name = "."
	}
	info, err := root.Stat(name)
	if err != nil {
		answer(w)(0, nil, errorf(http.StatusNotFound, "%v", err))
		return
	}
	stat, err := json.Marshal(map[string]any{"name": info.Name(), "size": info.Size(), "mode": uint32(info.Mode()), "mtime": info.ModTime()})
	if err != nil {
		answer(w)(0, nil, err)
		return
	}
	w.Header().Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString(stat))
	w.Header().Set("Content-Type", "application/x-tar")
	if r.Method == http.MethodHead {
		return
	}
	archive := tar.NewWriter(w)
	if err := pack(archive, root, name); err != nil {
		panic(http.ErrAbortHandler) // the response has started: break it off so that the client notices
	}
	archive.Close()
}

// pack adds a file, or a folder with its contents, to an archive under its base
// name.
func pack(archive *tar.Writer, root *os.Root, top string) error {
	return fs.WalkDir(root.FS(), filepath.ToSlash(top), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
			return err
		}
		h, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		h.Name = path.Join(path.Base(top), strings.TrimPrefix(name, top))
		if err := archive.WriteHeader(h); err != nil || info.IsDir() {
			return err
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.CopyN(archive, f, info.Size())
		return err
	})
}

func (c *container) logFile() string { return c.dir + ".log" }

// logs responds with all output of the server, in Docker's frames: one byte for
// the stream, three zero bytes, four bytes for the length.
func (e *engine) logs(w http.ResponseWriter, r *http.Request) {
	c, err := e.container(r)
	if err != nil {
		answer(w)(0, nil, err)
		return
	}
	text, err := os.ReadFile(c.logFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		answer(w)(0, nil, err)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.docker.multiplexed-stream")
	for len(text) > 0 {
		n := min(len(text), 32<<10)
		header := [8]byte{1}
		binary.BigEndian.PutUint32(header[4:], uint32(n))
		w.Write(header[:])
		w.Write(text[:n])
		text = text[n:]
	}
}
