// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"errors"
	"fmt"

	"touchstone.example/api/id"
	"touchstone.example/server/env"
	"touchstone.example/server/jobs"
	"touchstone.example/storage"
)

// JobDevices is the kind of the jobs that delete the rows of a user's deleted devices:
// the transaction IDs of a month, and messages that the devices have not fetched. The
// key is the user.
const JobDevices = "devices"

// deleteBatch bounds the rows of one transaction.
const deleteBatch = 1000

// ForgetDevices is the handler of JobDevices. Its progress is the last device whose
// rows are all deleted.
func (a *Accounts) ForgetDevices(ctx context.Context, j *jobs.Job) (done bool, err error) {
	user, spent := id.UserID(j.Key()), env.Stopwatch()
	for !done && spent() < jobs.Slice {
		err := a.DB.Write(ctx, func(tx *storage.Writer) error {
			at := id.DeviceID(j.Progress())
			device, err := tx.DeviceWithRows(ctx, user, at)
			if done = errors.Is(err, storage.ErrNotFound); done {
				return nil
			}
			if err != nil {
				return err
			}
			n, err := tx.DeleteRowsOfDevice(ctx, user, device, deleteBatch)
			if err != nil {
				return err
			}
			if n < deleteBatch { // all its rows are deleted, or the device exists
				at = device
			}
			return j.Save(ctx, tx, []byte(at))
		})
		if err != nil {
			return false, fmt.Errorf("forget devices of %s: %w", user, err)
		}
	}
	return done, nil
}

// deleteRowsOfDevice deletes the rows of an earlier device before a new one gets its
// ID. The new device must not see them, so this cannot be left to the job.
func (a *Accounts) deleteRowsOfDevice(ctx context.Context, user id.UserID, device id.DeviceID) error {
	for n := int64(deleteBatch); n == deleteBatch; {
		err := a.DB.Write(ctx, func(tx *storage.Writer) (err error) {
			n, err = tx.DeleteRowsOfDevice(ctx, user, device, deleteBatch)
			return err
		})
		if err != nil {
			return fmt.Errorf("forget device of %s: %w", user, err)
		}
	}
	return nil
}
