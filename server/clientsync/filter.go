// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"touchstone.example/api"
	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/filter"
	"touchstone.example/storage"
)

var _ clientapi.Filter = (*Sync)(nil)

// DefineFilter stores a filter. The same filter has the same ID.
//
// Spec: client-server defineFilter.
func (s *Sync) DefineFilter(ctx context.Context, who api.Caller, req *clientapi.DefineFilterRequest) (*clientapi.DefineFilterResponse, error) {
	if who.User != req.UserID {
		return nil, api.Forbidden("Those are not your filters")
	}
	canonical, err := canonjson.Append(nil, req.Body.AppendJSON(nil), canonjson.Lenient)
	if err != nil {
		return nil, api.BadJSON("%s", err)
	}
	if _, err := filter.Parse(canonical); err != nil {
		return nil, api.BadJSON("%s", err)
	}
	sum := sha256.Sum256(canonical)
	var filterID int64
	err = s.DB.Write(ctx, func(tx *storage.Writer) (err error) {
		filterID, err = tx.InsertFilter(ctx, who.User, hex.EncodeToString(sum[:]), canonical)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store filter of %s: %w", who.User, err)
	}
	return &clientapi.DefineFilterResponse{FilterID: strconv.FormatInt(filterID, 10)}, nil
}

// GetFilter returns a stored filter.
//
// Spec: client-server getFilter.
func (s *Sync) GetFilter(ctx context.Context, who api.Caller, req *clientapi.GetFilterRequest) (*clientapi.GetFilterResponse, error) {
	if who.User != req.UserID {
		return nil, api.Forbidden("Those are not your filters")
	}
	stored, err := s.storedFilter(ctx, who.User, req.FilterID)
	if err != nil {
		return nil, err
	}
	out := &clientapi.GetFilterResponse{}
	return out, json.Unmarshal(stored, out)
}

func (s *Sync) storedFilter(ctx context.Context, user id.UserID, filterID string) ([]byte, error) {
	unknown := api.NotFound("You have no filter %q", filterID)
	n, err := strconv.ParseInt(filterID, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != filterID { // +1 and 01 are no IDs
		return nil, unknown
	}
	var stored []byte
	err = s.DB.Read(ctx, func(tx *storage.Reader) (err error) {
		stored, err = tx.Filter(ctx, user, n)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, unknown
	}
	if err != nil {
		return nil, fmt.Errorf("filter of %s: %w", user, err)
	}
	return stored, nil
}

// loadFilter returns the filter of a sync: none, one given as JSON in the query, or a
// stored one.
func (s *Sync) loadFilter(ctx context.Context, user id.UserID, given api.Opt[string]) (*filter.Filter, error) {
	if !given.Set || given.Value == "" {
		return &filter.Filter{}, nil
	}
	text := []byte(given.Value)
	if !strings.HasPrefix(given.Value, "{") {
		var err error
		if text, err = s.storedFilter(ctx, user, given.Value); err != nil {
			var unknown *api.Error
			if errors.As(err, &unknown) {
				return nil, api.InvalidParam("filter: %s", unknown.Msg)
			}
			return nil, err
		}
	}
	f, err := filter.Parse(text)
	if err != nil {
		return nil, api.InvalidParam("%s", err)
	}
	if !s.OnlyFields {
		f.Fields = f.Fields.WithRequired()
	}
	return f, nil
}
