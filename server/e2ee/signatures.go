// SPDX-License-Identifier: Apache-2.0

package e2ee

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/devicekeys"
	"touchstone.example/server/devicelists"
	"touchstone.example/server/feed"
	"touchstone.example/storage"
)

// A target is a key that a user may sign, and which keys may have signed it.
type target struct {
	signed
	usage   string // of a cross-signing key; "": a device
	json    []byte
	signers map[string]devicekeys.Key // of the user who asks, by name
}

// A signature that was found valid, on what the target was then.
type signature struct {
	*target
	storage.KeySignature
}

// UploadCrossSigningSignatures publishes signatures that the caller's keys have
// made, each of which is verified. Those on one key are taken together or not at all.
//
// Spec: client-server uploadCrossSigningSignatures.
func (e *E2EE) UploadCrossSigningSignatures(ctx context.Context, who api.Caller, req *clientapi.UploadCrossSigningSignaturesRequest) (*clientapi.UploadCrossSigningSignaturesResponse, error) {
	s := &signing{user: who.User, failures: map[id.UserID]map[string]clientapi.ErrorObject{}}
	err := e.DB.Read(ctx, func(tx *storage.Reader) error { return s.load(ctx, tx, req.Body) })
	if err != nil {
		return nil, fmt.Errorf("keys to sign of %s: %w", who.User, err)
	}
	var valid []signature
	for _, user := range slices.Sorted(maps.Keys(req.Body)) {
		for _, key := range slices.Sorted(maps.Keys(req.Body[user])) {
			list, err := s.verify(signed{user, key}, req.Body[user][key])
			if err != nil {
				s.fail(signed{user, key}, err)
				continue
			}
			valid = append(valid, list...)
		}
	}
	var pos int64
	if len(valid) > 0 {
		err = e.DB.Write(ctx, func(tx *storage.Writer) (err error) {
			pos, err = s.write(ctx, tx, valid)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("sign keys as %s: %w", who.User, err)
		}
	}
	return &clientapi.UploadCrossSigningSignaturesResponse{Failures: s.failures}, e.Feed.WaitFor(ctx, pos)
}

// A signing is one upload of signatures.
type signing struct {
	user     id.UserID
	own      keySet
	devices  map[string]devicekeys.Key // the user's
	targets  map[signed]*target
	stored   map[signed][]*storage.KeySignature
	failures map[id.UserID]map[string]clientapi.ErrorObject
}

func (s *signing) fail(of signed, err error) {
	var refused *api.Error
	if !errors.As(err, &refused) {
		refused = api.Unknown("%s", err)
	}
	if s.failures[of.user] == nil {
		s.failures[of.user] = map[string]clientapi.ErrorObject{}
	}
	s.failures[of.user][of.key] = clientapi.ErrorObject{Errcode: refused.ErrCode, Error: api.Some(refused.Msg)}
}

// load reads the keys that the user may sign: the user's devices, the user's own
// keys, and the master keys of others.
func (s *signing) load(ctx context.Context, tx *storage.Reader, body map[id.UserID]map[string]api.Raw) (err error) {
	users := slices.AppendSeq([]id.UserID{s.user}, maps.Keys(body))
	slices.Sort(users)
	users = slices.Compact(users)
	if s.own, err = keysOf(ctx, tx, s.user); err != nil {
		return err
	}
	devices, err := tx.DeviceKeysOf(ctx, []id.UserID{s.user})
	if err != nil {
		return err
	}
	keys, err := tx.CrossSigningKeys(ctx, users)
	if err != nil {
		return err
	}
	list, err := tx.KeySignatures(ctx, users, s.user)
	if err != nil {
		return err
	}
	s.stored = map[signed][]*storage.KeySignature{}
	for _, row := range list {
		of := signed{row.UserID, row.KeyID}
		s.stored[of] = append(s.stored[of], row)
	}
	s.devices, s.targets = map[string]devicekeys.Key{}, map[signed]*target{}
	for _, d := range devices {
		parsed, err := devicekeys.ParseDevice(d.Keys, s.user, d.DeviceID)
		if err != nil {
			return fmt.Errorf("keys of %s %s: %w", s.user, d.DeviceID, err)
		}
		s.devices[parsed.ID] = parsed.Key
		of := signed{s.user, string(d.DeviceID)}
		s.targets[of] = &target{of, "", d.Keys, s.signersOf(usageSelfSigning)}
	}
	for _, k := range keys {
		of := signed{k.UserID, k.ID}
		switch {
		case k.UserID == s.user && k.Usage == usageMaster:
			s.targets[of] = &target{of, k.Usage, k.Key, s.devices}
		case k.UserID == s.user:
			s.targets[of] = &target{of, k.Usage, k.Key, s.signersOf(usageMaster)}
		case k.Usage == usageMaster:
			s.targets[of] = &target{of, k.Usage, k.Key, s.signersOf(usageUserSigning)}
		}
	}
	return nil
}

func (s *signing) signersOf(usage string) map[string]devicekeys.Key {
	if k := s.own[usage]; k != nil {
		return map[string]devicekeys.Key{k.ID: k.Key}
	}
	return nil
}

// verify returns the signatures on a key that are new, each by a key that may sign
// it.
func (s *signing) verify(of signed, obj []byte) (list []signature, err error) {
	t := s.targets[of]
	if t == nil {
		return nil, api.NotFound("%s has no key %s that you could sign", of.user, of.key)
	}
	b, err := devicekeys.Canonical(obj)
	if err != nil {
		return nil, refusal("The key", err)
	}
	if !devicekeys.SameBesideSignatures(b, t.json) {
		return nil, api.InvalidParam("That is not the key that %s has", of.user)
	}
	signatures, err := devicekeys.Signatures(b)
	if err != nil {
		return nil, refusal("The key", err)
	}
	known, _ := devicekeys.Signatures(t.json)
	for _, row := range s.stored[of] {
		known = append(known, devicekeys.Signature{Signer: row.Signer, SignedBy: row.SignedBy, Value: row.Signature})
	}
	if len(signatures) == 0 {
		return nil, api.Errorf(400, "M_INVALID_SIGNATURE", "The key has no signature")
	}
	for _, sig := range signatures {
		if slices.Contains(known, sig) {
			continue
		}
		key, may := t.signers[sig.SignedBy]
		if sig.Signer != s.user || !may {
			return nil, api.Errorf(400, "M_INVALID_SIGNATURE", "%s of %s is no key of yours that signs this one", sig.SignedBy, sig.Signer)
		}
		if err := devicekeys.Verify(b, s.user, key); err != nil {
			return nil, refusal("The key", err)
		}
		list = append(list, signature{t, storage.KeySignature{
			UserID: of.user, KeyID: of.key, Signer: s.user, SignedBy: sig.SignedBy, Signature: sig.Value,
		}})
	}
	return list, nil
}

// write stores signatures on keys that are still what they were, and says for whom
// they are news: those on the user's own keys for all who see these, and one on
// another user's key for the signer's devices alone.
func (s *signing) write(ctx context.Context, tx *storage.Writer, valid []signature) (pos int64, err error) {
	if _, err = tx.LockUser(ctx, s.user); err != nil {
		return 0, err
	}
	var own bool
	var others []id.UserID
	for _, sig := range valid {
		still, err := sig.still(ctx, tx.Reader)
		if err != nil {
			return 0, err
		}
		if !still {
			s.fail(sig.signed, api.NotFound("The key has changed meanwhile"))
			continue
		}
		if err := tx.PutKeySignature(ctx, &sig.KeySignature); err != nil {
			return 0, err
		}
		if sig.user == s.user {
			own = true
		} else {
			others = append(others, sig.user)
		}
	}
	if own {
		pos, err = devicelists.Changed(ctx, tx, s.user)
	} else if len(others) > 0 {
		if pos, err = tx.ReservePosition(ctx); err == nil {
			err = tx.InsertChange(ctx, storage.Change{Pos: pos, Kind: string(feed.KindDevices), UserID: string(s.user)})
		}
	}
	if err != nil {
		return 0, err
	}
	for _, user := range slices.Compact(others) {
		if err := tx.PutSignedUser(ctx, s.user, user, pos); err != nil {
			return 0, err
		}
	}
	return pos, nil
}

// still reports whether a key is what was signed.
func (t *target) still(ctx context.Context, tx *storage.Reader) (bool, error) {
	if t.usage == "" {
		now, err := tx.DeviceKeys(ctx, t.user, id.DeviceID(t.key))
		if errors.Is(err, storage.ErrNotFound) {
			return false, nil
		}
		return bytes.Equal(now, t.json), err
	}
	rows, err := tx.CrossSigningKeys(ctx, []id.UserID{t.user})
	for _, k := range rows {
		if k.Usage == t.usage {
			return bytes.Equal(k.Key, t.json), err
		}
	}
	return false, err
}
