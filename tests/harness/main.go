// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"os"
	"sync"
)

var exits struct {
	sync.Mutex
	do []func()
}

// onExit registers what must be tidied up when the run ends.
func onExit(f func()) {
	exits.Lock()
	defer exits.Unlock()
	exits.do = append(exits.do, f)
}

// TidyUp does what was registered, the last first.
func TidyUp() {
	exits.Lock()
	defer exits.Unlock()
	for i := range exits.do {
		exits.do[len(exits.do)-1-i]()
	}
	exits.do = nil
}

// Main runs a package's tests, says which engines they run on, and tidies up.
func Main(m interface{ Run() int }) {
	fmt.Fprintln(os.Stderr, EngineReport())
	code := m.Run()
	TidyUp()
	os.Exit(code)
}
