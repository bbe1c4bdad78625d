// SPDX-License-Identifier: Apache-2.0

// Package spec embeds the distilled specification, for those that read it at
// run time: the judge of requests and answers, and the lab. It decides nothing;
// package generated/schemas says where in it an operation's schemas are.
package spec

import (
	"embed"
	"io/fs"
)

//go:embed all:v1.19
var files embed.FS

// Release is the release of the specification.
const Release = "v1.19"

// FS returns the files of the release: a document for each API, and the folders
// events, edus and pdus with one schema a file.
func FS() fs.FS {
	sub, err := fs.Sub(files, Release)
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}
