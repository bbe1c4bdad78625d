// SPDX-License-Identifier: Apache-2.0

// Package spec embeds the pinned specification, so that the program can judge
// traffic without a file beside it. It holds data only.
package spec

import "embed"

// Version names the folder of the pinned release.
const Version = "v1.19"

// Files holds the release's folder and extra/.
//
//go:embed v1.19 extra/*.yaml
var Files embed.FS
