// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"fmt"
	"maps"
	"slices"

	"touchstone.example/api/id"
	"touchstone.example/storage"
)

// A Topic is something that requests wait for and that cached values depend on. A topic
// with a room or a user is a Key.
type Topic uint8

// The topics. Those before TopicMemberships belong to the change's room, the others to
// its user.
const (
	TopicRoom        Topic = 1 + iota // a room's events, their verdicts, and its state
	TopicEphemeral                    // receipts and typing in a room
	TopicDevices                      // the devices of a room's members, and their keys
	TopicMemberships                  // the user's memberships
	TopicAccess                       // what the user's access tokens permit
	TopicOwnData                      // the user's account data
	TopicReads                        // how far the user has read
	TopicToDevice                     // messages to the user's devices
	TopicOneTimeKeys                  // how many keys of the user's devices are left
	TopicPresence                     // anybody's presence: it wakes nobody
	endOfTopics
)

func (t Topic) ofRoom() bool { return t <= TopicDevices }

// A Kind is what a row of the log of changes is about.
type Kind string

// The kinds. Each is declared with its topics; the comment says who writes it, what the
// row's Ref means and who reads it. A row wakes requests that wait for one of its
// topics, and is deleted with the old end of the log (upkeep.KeptChanges).
var (
	// KindEvent is an event that clients see from its position on, or see changed from
	// there on. Written by rooms; Ref is the event's row; UserID is its state key for a
	// membership event. Read by sync, for the timeline.
	KindEvent = NewKind("event", TopicRoom, TopicMemberships)
	// KindState is a change of a room's current state, made by state resolution, that
	// no event of the timeline shows. Written by rooms; Ref is the row of the event
	// that is now in the state, 0 for none; UserID is its state key for a membership
	// event. Read by sync, for the state.
	KindState = NewKind("state", TopicRoom, TopicMemberships)
	// KindAccess says that a user's access tokens were deleted or now permit something
	// else. Written by accounts; Ref is 0. Read by the cache of access tokens, and by
	// sync, which ends the wait of a deleted device; sync tells clients nothing of it.
	KindAccess = NewKind("access", TopicAccess)
	// KindAccountData is account data, of RoomNID if that is not 0. Written by whatever
	// sets account data; Ref is 0. Read by sync, for the part accountdata.
	KindAccountData = NewKind("account_data", TopicOwnData)
	// KindReceipt is how far a user says to have read a room or a thread. Written by
	// receipts; Ref is the event's row. Read by sync, for the part receipts, which tells
	// the room's members and counts anew for the user.
	KindReceipt = NewKind("receipt", TopicEphemeral, TopicReads)
	// KindPrivateReceipt is a receipt that is the user's own business. Written and read
	// as KindReceipt.
	KindPrivateReceipt = NewKind("receipt_private", TopicReads)
	// KindTyping is that a user began to type in a room, or stopped. Written by typing;
	// Ref is 0. Read by sync, for the part typing.
	KindTyping = NewKind("typing", TopicEphemeral)
	// KindPresence is that the presence of some users changed. Written by presence, one
	// row for all of them; Ref is 0. Read by sync, for the part presence, with whatever
	// a client is answered next.
	KindPresence = NewKind("presence", TopicPresence)
	// KindDevices is a change of a user's devices that have keys, of their keys, or of
	// the user's cross-signing keys. Written by devicelists, for accounts and e2ee: a
	// row for each room that UserID is in, and one without a room for the user's own
	// devices; Ref is 0. Read by sync, for the part e2ee.
	KindDevices = NewKind("devices", TopicDevices, TopicOwnData)
	// KindOneTimeKeys is a change of how many one-time keys a user's devices have left,
	// or of whether a fallback key was used. Written by e2ee; Ref is 0. Read by sync,
	// which caches the counts; it wakes no request.
	KindOneTimeKeys = NewKind("one_time_keys", TopicOneTimeKeys)
	// KindToDevice is messages to a user's devices. Written by todevice; Ref is 0.
	// Read by sync, for the part todevice.
	KindToDevice = NewKind("to_device", TopicToDevice)
)

// Wakes reports whether clients wait for a kind; else they hear of it with their
// next answer.
func (k Kind) Wakes() bool { return !slices.Contains(topics[k], TopicPresence) }

// topics are those of each kind.
var topics = map[Kind][]Topic{}

// NewKind declares a kind, while the program starts.
func NewKind(name string, of ...Topic) Kind {
	if topics[Kind(name)] != nil {
		panic(fmt.Sprintf("kind %q of changes is declared twice", name))
	}
	topics[Kind(name)] = of
	return Kind(name)
}

// Kinds lists the declared kinds by name.
func Kinds() []Kind { return slices.Sorted(maps.Keys(topics)) }

// everyTopic are the topics assumed for an unknown kind, which another version of the
// program has written to the same database: all of them.
var everyTopic = func() (all []Topic) {
	for t := TopicRoom; t < endOfTopics; t++ {
		all = append(all, t)
	}
	return all
}()

// topicsOf returns the topics of a row of the log.
func topicsOf(c *storage.Change) []Topic {
	if known := topics[Kind(c.Kind)]; known != nil {
		return known
	}
	return everyTopic
}

// A Key is a topic of one room or of one user.
type Key struct {
	topic Topic
	room  int64
	user  string
}

// keyOf returns the key of a topic that a change concerns, the zero Key if none.
func keyOf(t Topic, c *storage.Change) Key {
	switch {
	case t == TopicPresence:
		return Key{topic: t}
	case t.ofRoom() && c.RoomNID != 0:
		return Key{topic: t, room: c.RoomNID}
	case !t.ofRoom() && c.UserID != "":
		return Key{topic: t, user: c.UserID}
	}
	return Key{}
}

// Room is a room's events and state.
func Room(roomNID int64) Key { return Key{topic: TopicRoom, room: roomNID} }

// Memberships is a user's memberships of rooms.
func Memberships(user id.UserID) Key { return Key{topic: TopicMemberships, user: string(user)} }

// Access is what a user's access tokens permit.
func Access(user id.UserID) Key { return Key{topic: TopicAccess, user: string(user)} }

// KeysOf lists the keys to wait for in order to see all changes of these kinds that
// concern a user and these rooms; "" is no user.
func KeysOf(kinds []Kind, user id.UserID, roomNIDs []int64) []Key {
	var wanted [endOfTopics]bool
	for _, k := range kinds {
		for _, t := range topics[k] {
			wanted[t] = true
		}
	}
	var keys []Key
	for t := TopicRoom; t < endOfTopics; t++ {
		switch {
		case !wanted[t]:
		case t.ofRoom():
			for _, nid := range roomNIDs {
				keys = append(keys, Key{topic: t, room: nid})
			}
		case user != "" && t == TopicPresence:
			keys = append(keys, Key{topic: t})
		case user != "":
			keys = append(keys, Key{topic: t, user: string(user)})
		}
	}
	return keys
}
