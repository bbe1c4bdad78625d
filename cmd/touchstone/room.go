// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"os"

	"touchstone.example/server/roomtool"
)

// room runs the tools of the room engine.
func room(_ context.Context, args []string) error {
	code := roomtool.Run(args, roomtool.Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Open: func(name string) (io.ReadCloser, error) { return os.Open(name) },
	})
	if code != roomtool.ExitGood {
		return exitCode(code)
	}
	return nil
}
