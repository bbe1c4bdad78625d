// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// unpacked reads an archive as a map of names to contents; folders end in a
// slash.
func unpacked(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	files := map[string]string{}
	r := tar.NewReader(bytes.NewReader(raw))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		name := h.Name
		if h.Typeflag == tar.TypeDir {
			name += "/"
		}
		files[name] = string(content)
	}
}

func TestArchivePutAndGet(t *testing.T) {
	b := newTestEngine(t)
	id := b.create("one", request(imageName, "hs1"))
	put := func(path, name, content string) (int, map[string]any) {
		return b.call("PUT", "/containers/"+id+"/archive?path="+path, archive(t, name, content))
	}
	get := func(path string) map[string]string {
		status, raw := b.raw("GET", "/containers/"+id+"/archive?path="+path, nil)
		require.Equal(t, 200, status, string(raw))
		return unpacked(t, raw)
	}

	status, out := put("/", "/complement/appservice/a.yaml", "id: a")
	require.Equal(t, 200, status, out)
	status, out = put("/complement", "appservice/b.yaml", "id: b")
	require.Equal(t, 200, status, out)
	require.Equal(t, map[string]string{"a.yaml": "id: a"}, get("/complement/appservice/a.yaml"))
	require.Equal(t, map[string]string{"appservice/": "", "appservice/a.yaml": "id: a", "appservice/b.yaml": "id: b"}, get("/complement/appservice"))

	status, out = put("/", "complement/appservice/a.yaml", "x")
	require.Equal(t, 200, status, out)
	require.Equal(t, map[string]string{"a.yaml": "x"}, get("complement/appservice/a.yaml"), "an old file is replaced whole")

	b.startAndWait(id)
	require.Equal(t, map[string]string{"starts": "1"}, get("/data/starts"), "what the server wrote comes out")

	status, out = b.call("GET", "/containers/"+id+"/archive?path=/nowhere", nil)
	require.Equal(t, 404, status, out)
}

func TestStatOfAFile(t *testing.T) {
	b := newTestEngine(t)
	id := b.create("one", request(imageName, "hs1"))
	resp, err := http.Head(b.url + "/containers/" + id + "/archive?path=/bin/entry")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	raw, err := base64.StdEncoding.DecodeString(resp.Header.Get("X-Docker-Container-Path-Stat"))
	require.NoError(t, err)
	var stat struct {
		Name string
		Size int64
	}
	require.NoError(t, json.Unmarshal(raw, &stat))
	dir, err := rootfs()
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(dir, "bin/entry"))
	require.NoError(t, err)
	require.Equal(t, "entry", stat.Name)
	require.Equal(t, info.Size(), stat.Size)
}

func TestFilesStayInside(t *testing.T) {
	b := newTestEngine(t)
	id := b.create("one", request(imageName, "hs1"))
	c, err := b.e.find(id)
	require.NoError(t, err)

	status, out := b.call("PUT", "/containers/"+id+"/archive?path=/data", archive(t, "../../../escaped", "x"))
	require.Equal(t, 200, status, out)
	require.FileExists(t, filepath.Join(c.dir, "escaped"), "the container's root is as far up as it goes")

	outside := t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(c.dir, "out")))
	status, out = b.call("PUT", "/containers/"+id+"/archive?path=/out", archive(t, "x", "x"))
	require.Equal(t, 500, status, out)
	left, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Empty(t, left)

	status, out = b.call("PUT", "/containers/"+id+"/archive?path=/", []byte("this is no archive, whatever it says"))
	require.Equal(t, 400, status, out)
}

func TestCloneTree(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.MkdirAll(filepath.Join(from, "bin"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(from, "data/empty"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(from, "bin/entry"), []byte("program"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(from, "data/db"), []byte("rows"), 0o600))
	require.NoError(t, os.Symlink("db", filepath.Join(from, "data/link")))

	require.NoError(t, cloneTree(from, to))
	require.NoError(t, os.WriteFile(filepath.Join(to, "data/db"), []byte("more"), 0o600))
	kept, err := os.ReadFile(filepath.Join(from, "data/db"))
	require.NoError(t, err)
	require.Equal(t, "rows", string(kept), "the copy is its own")
	target, err := os.Readlink(filepath.Join(to, "data/link"))
	require.NoError(t, err)
	require.Equal(t, "db", target)
	info, err := os.Stat(filepath.Join(to, "data/empty"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o750), info.Mode().Perm())
	a, err := os.Stat(filepath.Join(from, "bin/entry"))
	require.NoError(t, err)
	z, err := os.Stat(filepath.Join(to, "bin/entry"))
	require.NoError(t, err)
	require.True(t, os.SameFile(a, z), "programs are not copied")
	require.Error(t, cloneTree(filepath.Join(from, "none"), to))
}
