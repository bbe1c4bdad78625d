// SPDX-License-Identifier: Apache-2.0

package todevice_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/todevice"
)

// TestQueuesAreBounded: of a device that does not come, the newest messages stay,
// and requests for keys, however many, push no others out.
func TestQueuesAreBounded(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.todevice.SetBounds(20, 5)
		f.Jobs.Handle(todevice.JobBound, f.todevice.Bound)
		for n := range 10 {
			f.number("m.x", n)
		}
		for n := range 30 {
			f.number("m.room_key_request", n)
		}
		f.RunJobs(t)
		f.WaitForJobs(t)
		got, _ := f.sync("bob", "")
		require.Len(t, got, 15)
		require.Equal(t, `m.x{"n":0}`, got[0])
		require.Equal(t, `m.room_key_request{"n":25}`, got[10])
		for n := range 30 {
			f.number("m.x", n)
		}
		f.WaitForJobs(t)
		got, _ = f.sync("bob", "")
		require.Len(t, got, 20)
		require.Equal(t, `m.x{"n":10}`, got[0])
	})
}
