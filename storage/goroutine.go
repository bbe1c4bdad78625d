// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"bytes"
	"runtime"
	"strconv"
)

// goroutineID reads the number in the first line of the stack trace,
// "goroutine 18 [running]:". Only Options.Checks uses it.
func goroutineID() int64 {
	buf := make([]byte, 32)
	fields := bytes.Fields(buf[:runtime.Stack(buf, false)])
	id, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		panic("storage: no goroutine number in a stack trace: " + err.Error())
	}
	return id
}
