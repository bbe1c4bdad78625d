// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"touchstone.example/api"
	"touchstone.example/generated/extraapi"
	"touchstone.example/storage"
)

// maxSnapshots bounds how many there are: each is a copy of the database.
const maxSnapshots = 100

// maxSnapshotName bounds its name, in characters.
const maxSnapshotName = 64

func validName(name string) bool {
	n := 0
	for _, r := range name {
		n++
		if r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsNumber(r) && !strings.ContainsRune(" ._-", r) {
			return false
		}
	}
	return 0 < n && n <= maxSnapshotName
}

// GetLabSnapshots lists the snapshots by name.
func (l *Lab) GetLabSnapshots(context.Context, *extraapi.GetLabSnapshotsRequest) (*extraapi.GetLabSnapshotsResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := &extraapi.GetLabSnapshotsResponse{Snapshots: []extraapi.LabSnapshot{}}
	for _, name := range slices.Sorted(maps.Keys(l.snapshots)) {
		out.Snapshots = append(out.Snapshots, *described(name, l.snapshots[name]))
	}
	return out, nil
}

func described(name string, s *Saved) *extraapi.LabSnapshot {
	return &extraapi.LabSnapshot{Name: name, SavedTS: s.At}
}

// SaveLabSnapshot keeps the server as it is under a name, in place of what had
// that name before.
func (l *Lab) SaveLabSnapshot(ctx context.Context, req *extraapi.SaveLabSnapshotRequest) (*extraapi.SaveLabSnapshotResponse, error) {
	if !validName(req.Name) {
		return nil, api.InvalidParam("name: expected 1 to %d letters, digits, spaces, dots, underscores and hyphens", maxSnapshotName)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.snapshots[req.Name]
	if old == nil && len(l.snapshots) >= maxSnapshots {
		return nil, api.InvalidParam("name: there are %d snapshots already; delete one", maxSnapshots)
	}
	s, err := l.Host.Save(ctx)
	if err != nil {
		return nil, unsupported(err)
	}
	l.snapshots[req.Name] = s
	if old != nil {
		err = old.Data.Delete()
	}
	return described(req.Name, s), err
}

// unsupported says what databases there are snapshots of.
func unsupported(err error) error {
	if !errors.Is(err, storage.ErrUnsupported) {
		return err
	}
	e := api.Errorf(http.StatusNotImplemented, codeUnsupported,
		"There are no snapshots of a PostgreSQL database; start the server with SQLite, which lab mode does by itself, or use /reset")
	e.Err = err
	return e
}

// RestoreLabSnapshot puts a server behind the listeners that is as it was when
// the snapshot was saved, its clock and its random values included. Sync tokens
// from before are good; those of what came after belong to a history that has
// ended, and whoever holds one starts anew.
func (l *Lab) RestoreLabSnapshot(ctx context.Context, req *extraapi.RestoreLabSnapshotRequest) (*extraapi.RestoreLabSnapshotResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.snapshots[req.Name]
	if s == nil {
		return nil, l.noSnapshot(req.Name)
	}
	if err := l.Host.Restore(ctx, s); err != nil {
		return nil, err
	}
	return described(req.Name, s), nil
}

// DeleteLabSnapshot removes a snapshot.
func (l *Lab) DeleteLabSnapshot(_ context.Context, req *extraapi.DeleteLabSnapshotRequest) (*api.Empty, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.snapshots[req.Name]
	if s == nil {
		return nil, l.noSnapshot(req.Name)
	}
	delete(l.snapshots, req.Name)
	return &api.Empty{}, s.Data.Delete()
}

func (l *Lab) noSnapshot(name string) error {
	if len(l.snapshots) == 0 {
		return api.NotFound("There is no snapshot %q; none has been saved", name)
	}
	return api.NotFound("There is no snapshot %q; those that there are: %q", name, slices.Sorted(maps.Keys(l.snapshots)))
}
