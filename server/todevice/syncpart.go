// SPDX-License-Identifier: Apache-2.0

package todevice

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/server/feed"
	"touchstone.example/server/syncpart"
	"touchstone.example/storage"
)

var _ syncpart.Receiver = (*ToDevice)(nil)

const (
	// pageLimit is how many messages one answer has.
	//
	// Spec: client-server "Send-to-Device messaging": "100 messages is recommended".
	pageLimit = 100
	// pageSize is how many bytes of them, if more than one.
	pageSize = 1 << 20
	// maxDelivered bounds how many devices are remembered that have to acknowledge.
	maxDelivered = 65_536
)

// Kinds implements syncpart.Part.
func (t *ToDevice) Kinds() []feed.Kind { return []feed.Kind{feed.KindToDevice} }

// Read implements syncpart.Part: the next messages after those acknowledged.
// What is acknowledged is deleted behind it.
func (t *ToDevice) Read(ctx context.Context, tx *storage.Reader, w *syncpart.Window, out *syncpart.News) error {
	if w.Device == "" {
		return nil
	}
	d := device{w.User, w.Device}
	list, err := tx.ToDevice(ctx, d.user, d.id, 0, w.UpTo, pageLimit+1)
	if err != nil {
		return err
	}
	if len(list) > 0 && list[0].Pos <= w.ToDevice {
		t.deleteLater(d, w.ToDevice)
		if list, err = tx.ToDevice(ctx, d.user, d.id, w.ToDevice, w.UpTo, pageLimit+1); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		return nil
	}
	page := &syncpart.Page{Next: w.UpTo}
	size := 0
	for i, m := range list {
		if size += len(m.Content); i == pageLimit || i > 0 && size > pageSize {
			page.Next = list[i-1].Pos
			break
		}
		page.Events = append(page.Events, syncpart.Sent{Sender: m.Sender, Typed: syncpart.Typed{Type: m.Type, Content: m.Content}})
	}
	out.ToDevice = page
	t.deliver(d, list[len(page.Events)-1].Pos)
	return nil
}

// deliver notes that messages were told.
func (t *ToDevice) deliver(d device, pos int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.delivered) >= maxDelivered {
		clear(t.delivered) // they are found when there are more
	}
	t.delivered[d] = max(t.delivered[d], pos)
}

// Acknowledged implements syncpart.Receiver.
func (t *ToDevice) Acknowledged(user id.UserID, deviceID id.DeviceID, pos int64) {
	d := device{user, deviceID}
	t.mu.Lock()
	told, known := t.delivered[d]
	t.mu.Unlock()
	if known && told <= pos {
		t.deleteLater(d, told)
	}
}

// deleteLater has messages deleted.
func (t *ToDevice) deleteLater(d device, pos int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.delivered[d] <= pos {
		delete(t.delivered, d)
	}
	if len(t.deletable) >= maxDelivered {
		return // a later request finds them
	}
	t.deletable[d] = max(t.deletable[d], pos)
	select {
	case t.wake <- struct{}{}:
	default: // it will
	}
}

// Run deletes what was acknowledged, until ctx ends. What is left by then is
// found when the device has more messages.
func (t *ToDevice) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.wake:
		}
		if err := t.DeleteAcknowledged(ctx); err != nil && ctx.Err() == nil {
			t.Log.WarnContext(ctx, "delete acknowledged messages to devices", "error", err)
		}
	}
}

// DeleteAcknowledged deletes the messages that devices have acknowledged so far.
func (t *ToDevice) DeleteAcknowledged(ctx context.Context) error {
	t.mu.Lock()
	deletable := t.deletable
	t.deletable = map[device]int64{}
	t.mu.Unlock()
	all := slices.SortedFunc(maps.Keys(deletable), func(x, y device) int { return cmp.Compare(jobKey(x), jobKey(y)) })
	for some := range slices.Chunk(all, 100) {
		if err := t.deleteUpTo(ctx, some, deletable); err != nil {
			return err
		}
	}
	return nil
}

func (t *ToDevice) deleteUpTo(ctx context.Context, some []device, upTo map[device]int64) error {
	for len(some) > 0 {
		var left []device
		err := t.DB.Write(ctx, func(tx *storage.Writer) error {
			left = nil
			for _, d := range some {
				n, err := tx.DeleteToDevice(ctx, d.user, d.id, upTo[d], deleteBatch)
				if err != nil {
					return err
				}
				if n == deleteBatch {
					left = append(left, d)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		some = left
	}
	return nil
}
