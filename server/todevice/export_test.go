// SPDX-License-Identifier: Apache-2.0

package todevice

// SetBounds makes queues shorter, and has each looked at with every message.
func (t *ToDevice) SetBounds(messages, requests int) { t.bounds = bounds{messages, requests, 1} }

// Forget forgets what was told to devices.
func (t *ToDevice) Forget() { clear(t.delivered) }
