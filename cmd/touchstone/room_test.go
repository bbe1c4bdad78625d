// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRoomCommandsHandOnTheirExitCodes(t *testing.T) {
	const rooms = "../../server/roomtool/testdata/rooms/"
	quiet(t)
	for code, args := range [][]string{
		{"room", "build", rooms + "fork.txt"},
		{"room", "check", rooms + "cycle.jsonl"},
		{"room", "check", "--frob"},
		{"room", "check", filepath.Join(t.TempDir(), "none")},
	} {
		require.Equal(t, code, run(t.Context(), args), args)
	}
	require.Equal(t, 2, run(t.Context(), []string{"frob"}))
}

// quiet sends what commands print to nowhere.
func quiet(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	out, errs := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = null, null
	t.Cleanup(func() {
		os.Stdout, os.Stderr = out, errs
		null.Close()
	})
}
