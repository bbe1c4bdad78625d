// SPDX-License-Identifier: Apache-2.0

package todevice

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"touchstone.example/api/id"
	"touchstone.example/server/env"
	"touchstone.example/server/jobs"
	"touchstone.example/storage"
)

// JobBound is the kind of the jobs that shorten the queue of a device that does
// not come for its messages. The key is the user and the device.
const JobBound = "to_device"

const (
	// maxMessages is how many messages wait for a device; the oldest go first.
	maxMessages = 20_000
	// maxRequests is how many of them ask for keys of rooms: who asks again and again
	// does not push other messages out.
	maxRequests = 500

	typeKeyRequest = "m.room_key_request"

	// deleteBatch bounds the rows of one transaction.
	deleteBatch = 1000
)

type bounds struct {
	messages, requests int
	every              uint64
}

func jobKey(d device) string { return string(d.user) + "\n" + string(d.id) }

// Bound is the handler of JobBound.
func (t *ToDevice) Bound(ctx context.Context, j *jobs.Job) (done bool, err error) {
	user, name, _ := strings.Cut(j.Key(), "\n")
	d, spent := device{id.UserID(user), id.DeviceID(name)}, env.Stopwatch()
	for !done && spent() < jobs.Slice {
		deleted := int64(0)
		err := t.DB.Write(ctx, func(tx *storage.Writer) (err error) {
			if deleted, err = t.shorten(ctx, tx, d); err != nil {
				return err
			}
			return j.Save(ctx, tx, nil)
		})
		if err != nil {
			return false, fmt.Errorf("shorten the queue of %s %s: %w", d.user, d.id, err)
		}
		if done = deleted < deleteBatch; deleted > 0 {
			t.Log.WarnContext(ctx, "messages to a device were deleted, since it does not come for them", "user", d.user, "messages", deleted)
		}
	}
	return done, nil
}

// shorten deletes some of the messages that are too many.
func (t *ToDevice) shorten(ctx context.Context, tx *storage.Writer, d device) (int64, error) {
	requests, err := tx.TrimToDevice(ctx, d.user, d.id, typeKeyRequest, t.bounds.requests)
	if err != nil {
		return 0, err
	}
	pos, err := tx.ToDeviceBound(ctx, d.user, d.id, t.bounds.messages)
	if errors.Is(err, storage.ErrNotFound) {
		return requests, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := tx.DeleteToDevice(ctx, d.user, d.id, pos, deleteBatch)
	return n + requests, err
}
