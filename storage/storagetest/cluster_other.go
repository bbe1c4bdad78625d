// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package storagetest

import (
	"errors"
	"net/url"
)

func findCluster() string { return "" }

func startCluster(string) (*url.URL, error) {
	return nil, errors.New("a throwaway cluster needs a unix system")
}
