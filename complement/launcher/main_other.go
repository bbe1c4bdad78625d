// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "launcher: starts servers on addresses and in roots that only Linux has; elsewhere, use a container engine")
	os.Exit(2)
}
