// SPDX-License-Identifier: Apache-2.0

// Package todevice carries messages from device to device: each stays until the
// device it is for has acknowledged it. It must not know what the messages say.
//
// Spec: client-server "Send-to-Device messaging".
package todevice

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/env"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

var _ clientapi.ToDevice = (*ToDevice)(nil)

const (
	// maxContent bounds a message, in bytes: it must fit into an EDU.
	maxContent = 65_536
	// boundEvery is after how many messages, on average, a queue is looked at.
	boundEvery = 256
	// everyDevice stands for all devices of a user.
	everyDevice = "*"
	// operationPrefix goes before the type, in what transaction IDs are of.
	operationPrefix = "sendToDevice/"
)

// Remote sends messages on to the servers of the users they are for.
type Remote interface {
	// Send is part of the transaction that stores the messages to users of ours.
	Send(ctx context.Context, tx *storage.Writer, sender id.UserID, typ string, messages map[id.UserID]map[string]api.Raw) error
}

// Deps are what ToDevice works with.
type Deps struct {
	DB   *storage.DB
	Feed *feed.Feed
	Env  *env.Env
	Log  *slog.Logger
	Name id.ServerName
	// Remote sends to other servers; nil: what is for their users goes nowhere.
	Remote Remote
}

// ToDevice serves the messages to the devices of one server.
type ToDevice struct {
	Deps
	bounds bounds

	mu        sync.Mutex
	delivered map[device]int64 // up to where messages were told that are still stored
	deletable map[device]int64 // up to where they can be deleted
	wake      chan struct{}
}

// A device is one of a user's.
type device struct {
	user id.UserID
	id   id.DeviceID
}

// New returns the messages of a database.
func New(d Deps) *ToDevice {
	return &ToDevice{
		Deps: d, bounds: bounds{messages: maxMessages, requests: maxRequests, every: boundEvery},
		delivered: map[device]int64{}, deletable: map[device]int64{}, wake: make(chan struct{}, 1),
	}
}

// SendToDevice sends messages to devices, all of one type. Those for devices that do
// not exist go nowhere.
//
// Spec: client-server sendToDevice.
func (t *ToDevice) SendToDevice(ctx context.Context, who api.Caller, req *clientapi.SendToDeviceRequest) (*api.Empty, error) {
	own, others := map[id.UserID]map[string]api.Raw{}, map[id.UserID]map[string]api.Raw{}
	for user, messages := range req.Body.Messages {
		for _, content := range messages {
			if len(content) > maxContent {
				return nil, api.TooLarge("A message to a device has at most %d bytes", maxContent)
			}
		}
		if user.Server() == t.Name {
			own[user] = messages
		} else {
			others[user] = messages
		}
	}
	key := storage.TxnKey{UserID: who.User, DeviceID: who.Device, Operation: operationPrefix + req.EventType, TxnID: req.TxnID}
	var pos int64
	err := t.DB.Write(ctx, func(tx *storage.Writer) (err error) {
		pos, err = t.send(ctx, tx, &key, own, others)
		return err
	})
	if errors.Is(err, storage.ErrExists) {
		return &api.Empty{}, nil // the request was made before
	}
	if err != nil {
		return nil, fmt.Errorf("send to devices: %w", err)
	}
	return &api.Empty{}, t.Feed.WaitFor(ctx, pos)
}

// send is the transaction of SendToDevice: all messages have one position.
func (t *ToDevice) send(ctx context.Context, tx *storage.Writer, key *storage.TxnKey, own, others map[id.UserID]map[string]api.Raw) (pos int64, err error) {
	typ := strings.TrimPrefix(key.Operation, operationPrefix)
	if _, err = tx.Txn(ctx, *key); err == nil {
		return 0, storage.ErrExists
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return 0, err
	}
	users := slices.Sorted(maps.Keys(own))
	devices, err := tx.DevicesOf(ctx, users)
	if err != nil {
		return 0, err
	}
	if err = tx.ClaimTxn(ctx, *key, storage.TxnResult{Answer: []byte("{}")}, t.Env.NowTS()); err != nil {
		return 0, err
	}
	if t.Remote != nil && len(others) > 0 {
		if err = t.Remote.Send(ctx, tx, key.UserID, typ, others); err != nil {
			return 0, err
		}
	}
	messages := addressed(users, devices, own)
	if len(messages) == 0 {
		return 0, nil
	}
	return t.store(ctx, tx, key.UserID, typ, messages)
}

// addressed are the messages by the devices that exist, in order. What names a
// device goes before what is for all.
func addressed(users []id.UserID, devices map[id.UserID][]id.DeviceID, of map[id.UserID]map[string]api.Raw) (list []*storage.ToDevice) {
	for _, user := range users {
		for _, d := range devices[user] {
			content, named := of[user][string(d)]
			if !named {
				if content, named = of[user][everyDevice]; !named {
					continue
				}
			}
			list = append(list, &storage.ToDevice{UserID: user, DeviceID: d, Content: content})
		}
	}
	return list
}

// store writes messages to devices of ours, and has the long queues looked at.
func (t *ToDevice) store(ctx context.Context, tx *storage.Writer, sender id.UserID, typ string, messages []*storage.ToDevice) (pos int64, err error) {
	if pos, err = tx.ReservePosition(ctx); err != nil {
		return 0, err
	}
	var last id.UserID
	for _, m := range messages {
		m.Pos, m.Sender, m.Type = pos, sender, typ
		if err := tx.InsertToDevice(ctx, m); err != nil {
			return 0, err
		}
		if m.UserID != last {
			last = m.UserID
			if err := tx.InsertChange(ctx, storage.Change{Pos: pos, Kind: string(feed.KindToDevice), UserID: string(last)}); err != nil {
				return 0, err
			}
		}
		if t.looksAt(m) {
			if err := tx.PutJob(ctx, JobBound, jobKey(device{m.UserID, m.DeviceID}), nil, 0, t.Env.NowTS()); err != nil {
				return 0, err
			}
		}
	}
	return pos, nil
}

// looksAt chooses one message of many, without counting them.
func (t *ToDevice) looksAt(m *storage.ToDevice) bool {
	h := fnv.New64a()
	_, _ = h.Write(strconv.AppendInt([]byte(jobKey(device{m.UserID, m.DeviceID})+" "), m.Pos, 10))
	return h.Sum64()%t.bounds.every == 0
}
