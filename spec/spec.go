// SPDX-License-Identifier: Apache-2.0

// Package spec embeds the pinned specification, so that the program can judge
// traffic without a file beside it. It holds data only; package
// generated/schemas says where in it an operation's schemas are.
package spec

import (
	"embed"
	"io/fs"
)

// Version names the pinned release and its folder.
const Version = "v1.19"

// Files holds the release's folder, extra/ and rules/.
//
//go:embed v1.19 extra/*.yaml rules/rules.json
var Files embed.FS

// FS returns the files of the release: a document for each API, and the folders
// events, edus and pdus with one schema a file.
func FS() fs.FS {
	sub, err := fs.Sub(Files, Version)
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}
