// SPDX-License-Identifier: Apache-2.0

package accounts_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
	"touchstone.example/server/accounts"
	"touchstone.example/storage"
	"touchstone.example/tests/slicetest"
)

// sent has a device of alice's have sent messages.
func (h *fixture) sent(device string, n int) {
	h.t.Helper()
	h.write(func(tx *storage.Writer) error {
		for i := range n {
			key := storage.TxnKey{UserID: slicetest.User("alice"), DeviceID: id.DeviceID(device), Operation: "send", TxnID: fmt.Sprint(i)}
			if err := tx.ClaimTxn(h.t.Context(), key, storage.TxnResult{EventNID: int64(i + 1)}, 1); err != nil {
				return err
			}
		}
		return nil
	})
}

// remembered counts the devices whose first and last message are.
func (h *fixture) remembered(n int, devices ...string) (count int) {
	h.t.Helper()
	require.NoError(h.t, h.DB.Read(h.t.Context(), func(tx *storage.Reader) error {
		for _, device := range devices {
			for _, i := range []int{0, n - 1} {
				_, err := tx.Txn(h.t.Context(), storage.TxnKey{UserID: slicetest.User("alice"), DeviceID: id.DeviceID(device), Operation: "send", TxnID: fmt.Sprint(i)})
				if err == nil {
					count++
				} else if !errors.Is(err, storage.ErrNotFound) {
					return err
				}
			}
		}
		return nil
	}))
	return count
}

// TestWhatADeviceHasSentIsForgottenByAJob, however much it is; of those that
// exist, nothing.
func TestWhatADeviceHasSentIsForgottenByAJob(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		h.Jobs.Handle(accounts.JobDevices, h.acc.ForgetDevices)
		h.register("alice")
		tokens := map[string]string{}
		const many = 2500
		for _, device := range []string{"A", "B", "C", "D"} {
			tokens[device] = h.login("alice", device)
			h.sent(device, many)
		}
		h.ok("POST", slicetest.Path("v3/logout"), tokens["A"], slicetest.O{})
		h.ok("POST", slicetest.Path("v3/logout"), tokens["C"], slicetest.O{})
		require.Equal(t, 8, h.remembered(many, "A", "B", "C", "D"), "the answer does not wait for all that")
		stop := h.RunJobs(t)
		h.WaitForJobs(t)
		require.Zero(t, h.remembered(many, "A", "C"))
		require.Equal(t, 4, h.remembered(many, "B", "D"))
		stop()
		h.ok("POST", slicetest.Path("v3/logout/all"), tokens["B"], slicetest.O{})
		h.login("alice", "B")
		require.Zero(t, h.remembered(many, "B"), "a new device of the name begins anew")
		h.sent("B", many)
		h.RunJobs(t)
		h.WaitForJobs(t)
		require.Equal(t, 2, h.remembered(many, "B"))
		require.Zero(t, h.remembered(many, "D"))
	})
}
