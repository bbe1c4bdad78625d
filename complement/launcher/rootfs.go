// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// checkRootfs checks that the program of an image can run in it, because the
// kernel's error message ("no such file") does not say what is missing.
func checkRootfs(rootfs, entry string) (string, error) {
	rootfs, err := filepath.Abs(rootfs)
	if err != nil {
		return "", err
	}
	program := filepath.Join(rootfs, entry)
	info, err := os.Stat(program)
	if err != nil {
		return "", fmt.Errorf("the image's program (-entry): %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return "", fmt.Errorf("%s is not an executable file", program)
	}
	bin, err := elf.Open(program)
	if err != nil {
		return "", fmt.Errorf("%s is not a Linux program: %w", program, err)
	}
	defer bin.Close()
	for _, p := range bin.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		loader, err := io.ReadAll(p.Open())
		if err != nil {
			return "", err
		}
		name := strings.TrimRight(string(loader), "\x00")
		if _, err := os.Stat(filepath.Join(rootfs, name)); err != nil {
			return "", fmt.Errorf("%s needs %s, which the image lacks: build it with CGO_ENABLED=0", program, name)
		}
	}
	return rootfs, nil
}

// programs is the folder whose files are linked and not copied for each
// container: they are big, and no server writes to /bin.
const programs = "bin"

// cloneTree copies the files of an image.
func cloneTree(from, to string) error {
	return filepath.WalkDir(from, func(src string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, src)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch mode := info.Mode(); {
		case mode.IsDir():
			return os.MkdirAll(dst, mode.Perm()|0o700)
		case mode.Type() == fs.ModeSymlink:
			target, err := os.Readlink(src)
			if err != nil {
				return err
			}
			return os.Symlink(target, dst)
		case !mode.IsRegular():
			return nil // sockets and the like are of no use without their process
		case strings.HasPrefix(rel, programs+string(filepath.Separator)):
			if os.Link(src, dst) == nil {
				return nil
			} // on another file system, copy
		}
		return copyFile(src, dst, info.Mode().Perm())
	})
}

func copyFile(src, dst string, perm fs.FileMode) (err error) {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
