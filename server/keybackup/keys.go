// SPDX-License-Identifier: Apache-2.0

package keybackup

import (
	"context"
	"errors"
	"maps"
	"slices"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/storage"
)

// keys are those of an upload, by room and session.
type keys = map[id.RoomID]clientapi.RoomKeyBackup

// PutRoomKeys adds keys of several rooms to the current backup.
//
// Spec: client-server putRoomKeys.
func (k *KeyBackup) PutRoomKeys(ctx context.Context, who api.Caller, req *clientapi.PutRoomKeysRequest) (*clientapi.PutRoomKeysResponse, error) {
	return k.put(ctx, who.User, req.Version, req.Body.Rooms)
}

// PutRoomKeysByRoomID adds keys of one room to the current backup.
//
// Spec: client-server putRoomKeysByRoomId.
func (k *KeyBackup) PutRoomKeysByRoomID(ctx context.Context, who api.Caller, req *clientapi.PutRoomKeysByRoomIDRequest) (*clientapi.PutRoomKeysByRoomIDResponse, error) {
	return k.put(ctx, who.User, req.Version, keys{req.RoomID: req.Body})
}

// PutRoomKeyBySessionID adds one key to the current backup.
//
// Spec: client-server putRoomKeyBySessionId.
func (k *KeyBackup) PutRoomKeyBySessionID(ctx context.Context, who api.Caller, req *clientapi.PutRoomKeyBySessionIDRequest) (*clientapi.PutRoomKeyBySessionIDResponse, error) {
	one := clientapi.RoomKeyBackup{Sessions: map[string]clientapi.KeyBackupData{req.SessionID: req.Body}}
	return k.put(ctx, who.User, req.Version, keys{req.RoomID: one})
}

// put adds those of the keys that are new or better than what is there. The etag
// changes if there is one.
func (k *KeyBackup) put(ctx context.Context, user id.UserID, version string, rooms keys) (*clientapi.RoomKeysUpdateResponse, error) {
	for _, room := range rooms {
		if err := checkKeys(room.Sessions); err != nil {
			return nil, err
		}
	}
	var b *storage.KeyBackup
	err := k.DB.Write(ctx, func(tx *storage.Writer) (err error) {
		if b, err = writable(ctx, tx, user, version); err != nil {
			return err
		}
		changed, added := false, int64(0)
		for _, roomID := range slices.Sorted(maps.Keys(rooms)) {
			more, wrote, err := putRoom(ctx, tx, user, b.Version, roomID, rooms[roomID].Sessions)
			if err != nil {
				return err
			}
			changed, added = changed || wrote, added+more
		}
		if !changed {
			return nil
		}
		if b.Etag, b.Keys = b.Etag+1, b.Keys+added; b.Keys > maxKeys {
			return api.TooLarge("A key backup has at most %d keys", maxKeys)
		}
		return tx.PutKeyBackupKeys(ctx, user, b.Version, added)
	})
	if err != nil {
		return nil, failed(err, user, version)
	}
	return &clientapi.RoomKeysUpdateResponse{Count: b.Keys, Etag: etag(b.Etag)}, nil
}

func checkKeys(sessions map[string]clientapi.KeyBackupData) error {
	for sessionID, key := range sessions {
		if len(sessionID) > maxSessionID {
			return api.InvalidParam("A session ID has at most %d bytes", maxSessionID)
		}
		if len(key.SessionData) > maxSessionData {
			return api.TooLarge("The data of a session has at most %d bytes", maxSessionData)
		}
	}
	return nil
}

// writable locks the backup to which keys may be added: the current one.
func writable(ctx context.Context, tx *storage.Writer, user id.UserID, version string) (*storage.KeyBackup, error) {
	current, err := tx.CurrentKeyBackup(ctx, user)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, unknown(version)
	}
	if err != nil {
		return nil, err
	}
	if versionText(current.Version) != version {
		return nil, wrongVersion(current.Version)
	}
	b, err := tx.LockKeyBackup(ctx, user, current.Version)
	if err == nil && b.Deleted { // just now
		return nil, unknown(version)
	}
	return b, err
}

// putRoom writes those of a room's keys that are new or better. It says how many
// more there are now, and whether it wrote any.
func putRoom(ctx context.Context, tx *storage.Writer, user id.UserID, version int64, roomID id.RoomID, sessions map[string]clientapi.KeyBackupData) (more int64, wrote bool, err error) {
	names := slices.Sorted(maps.Keys(sessions))
	if len(names) == 0 {
		return 0, false, nil
	}
	there, err := tx.BackedUpKeysIn(ctx, user, version, roomID, names)
	if err != nil {
		return 0, false, err
	}
	old := make(map[string]*storage.BackedUpKey, len(there))
	for _, key := range there {
		old[key.SessionID] = key
	}
	for _, name := range names {
		sent := sessions[name]
		key := &storage.BackedUpKey{
			RoomID: roomID, SessionID: name, FirstMessageIndex: sent.FirstMessageIndex, ForwardedCount: sent.ForwardedCount,
			Verified: sent.IsVerified, SessionData: sent.SessionData,
		}
		switch was := old[name]; {
		case was == nil:
			more++
		case !better(key, was):
			continue
		}
		wrote = true
		if err := tx.PutBackedUpKey(ctx, user, version, key); err != nil {
			return 0, false, err
		}
	}
	return more, wrote, nil
}

// better reports whether a key replaces one that is there.
//
// Spec: client-server "Server-side key backups": which key the server keeps.
func better(key, was *storage.BackedUpKey) bool {
	switch {
	case key.Verified != was.Verified:
		return key.Verified
	case key.FirstMessageIndex != was.FirstMessageIndex:
		return key.FirstMessageIndex < was.FirstMessageIndex
	}
	return key.ForwardedCount < was.ForwardedCount
}

// GetRoomKeys returns all keys of a backup.
//
// Spec: client-server getRoomKeys.
func (k *KeyBackup) GetRoomKeys(ctx context.Context, who api.Caller, req *clientapi.GetRoomKeysRequest) (*clientapi.GetRoomKeysResponse, error) {
	list, err := k.get(ctx, who.User, req.Version, func(tx *storage.Reader, version int64) ([]*storage.BackedUpKey, error) {
		return tx.BackedUpKeys(ctx, who.User, version)
	})
	if err != nil {
		return nil, err
	}
	rooms := keys{}
	for _, key := range list {
		room, ok := rooms[key.RoomID]
		if !ok {
			room.Sessions = map[string]clientapi.KeyBackupData{}
			rooms[key.RoomID] = room
		}
		room.Sessions[key.SessionID] = told(key)
	}
	return &clientapi.GetRoomKeysResponse{Rooms: rooms}, nil
}

// GetRoomKeysByRoomID returns the keys that a backup has of a room, if any.
//
// Spec: client-server getRoomKeysByRoomId.
func (k *KeyBackup) GetRoomKeysByRoomID(ctx context.Context, who api.Caller, req *clientapi.GetRoomKeysByRoomIDRequest) (*clientapi.GetRoomKeysByRoomIDResponse, error) {
	list, err := k.get(ctx, who.User, req.Version, func(tx *storage.Reader, version int64) ([]*storage.BackedUpKey, error) {
		return tx.BackedUpKeysOfRoom(ctx, who.User, version, req.RoomID)
	})
	if err != nil {
		return nil, err
	}
	room := &clientapi.RoomKeyBackup{Sessions: make(map[string]clientapi.KeyBackupData, len(list))}
	for _, key := range list {
		room.Sessions[key.SessionID] = told(key)
	}
	return room, nil
}

// GetRoomKeyBySessionID returns one key.
//
// Spec: client-server getRoomKeyBySessionId.
func (k *KeyBackup) GetRoomKeyBySessionID(ctx context.Context, who api.Caller, req *clientapi.GetRoomKeyBySessionIDRequest) (*clientapi.GetRoomKeyBySessionIDResponse, error) {
	list, err := k.get(ctx, who.User, req.Version, func(tx *storage.Reader, version int64) ([]*storage.BackedUpKey, error) {
		return tx.BackedUpKeysIn(ctx, who.User, version, req.RoomID, []string{req.SessionID})
	})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, api.NotFound("Key not found")
	}
	key := told(list[0])
	return &key, nil
}

func (k *KeyBackup) get(ctx context.Context, user id.UserID, version string, read func(tx *storage.Reader, version int64) ([]*storage.BackedUpKey, error)) (list []*storage.BackedUpKey, err error) {
	err = k.DB.Read(ctx, func(tx *storage.Reader) error {
		b, err := existing(ctx, tx, user, version)
		if err != nil {
			return err
		}
		list, err = read(tx, b.Version)
		return err
	})
	if err != nil {
		return nil, failed(err, user, version)
	}
	return list, nil
}

func told(key *storage.BackedUpKey) clientapi.KeyBackupData {
	return clientapi.KeyBackupData{
		FirstMessageIndex: key.FirstMessageIndex, ForwardedCount: key.ForwardedCount, IsVerified: key.Verified, SessionData: key.SessionData,
	}
}

// DeleteRoomKeys deletes all keys of a backup, and leaves the backup.
//
// Spec: client-server deleteRoomKeys.
func (k *KeyBackup) DeleteRoomKeys(ctx context.Context, who api.Caller, req *clientapi.DeleteRoomKeysRequest) (*clientapi.DeleteRoomKeysResponse, error) {
	return k.delete(ctx, who.User, req.Version, func(tx *storage.Writer, version int64) (int64, error) {
		return tx.DeleteBackedUpKeys(ctx, who.User, version)
	})
}

// DeleteRoomKeysByRoomID deletes the keys that a backup has of a room.
//
// Spec: client-server deleteRoomKeysByRoomId.
func (k *KeyBackup) DeleteRoomKeysByRoomID(ctx context.Context, who api.Caller, req *clientapi.DeleteRoomKeysByRoomIDRequest) (*clientapi.DeleteRoomKeysByRoomIDResponse, error) {
	return k.delete(ctx, who.User, req.Version, func(tx *storage.Writer, version int64) (int64, error) {
		return tx.DeleteBackedUpKeysOfRoom(ctx, who.User, version, req.RoomID)
	})
}

// DeleteRoomKeyBySessionID deletes one key, if it is there.
//
// Spec: client-server deleteRoomKeyBySessionId.
func (k *KeyBackup) DeleteRoomKeyBySessionID(ctx context.Context, who api.Caller, req *clientapi.DeleteRoomKeyBySessionIDRequest) (*clientapi.DeleteRoomKeyBySessionIDResponse, error) {
	return k.delete(ctx, who.User, req.Version, func(tx *storage.Writer, version int64) (int64, error) {
		return tx.DeleteBackedUpKey(ctx, who.User, version, req.RoomID, req.SessionID)
	})
}

// delete deletes keys of any backup that exists, not only of the current one.
func (k *KeyBackup) delete(ctx context.Context, user id.UserID, version string, remove func(tx *storage.Writer, version int64) (int64, error)) (*clientapi.RoomKeysUpdateResponse, error) {
	var b *storage.KeyBackup
	err := k.DB.Write(ctx, func(tx *storage.Writer) (err error) {
		if b, err = locked(ctx, tx, user, version); err != nil {
			return err
		}
		gone, err := remove(tx, b.Version)
		if err != nil || gone == 0 {
			return err
		}
		b.Etag, b.Keys = b.Etag+1, b.Keys-gone
		return tx.PutKeyBackupKeys(ctx, user, b.Version, -gone)
	})
	if err != nil {
		return nil, failed(err, user, version)
	}
	return &clientapi.RoomKeysUpdateResponse{Count: b.Keys, Etag: etag(b.Etag)}, nil
}
