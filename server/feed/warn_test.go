// SPDX-License-Identifier: Apache-2.0

package feed_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/server/feed"
	"touchstone.example/storage/storagetest"
)

// While PostgreSQL is away the feed tries again all the time, and logs each
// reason once a minute.
func TestARepeatedWarningIsLoggedOnceAMinute(t *testing.T) {
	var log bytes.Buffer
	f := open(t, storagetest.Open(t), feed.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for range 100 {
		f.Warn(t.Context(), "the doorbell was lost", errors.New("refused"))
		f.Warn(t.Context(), "the stream does not advance", errors.New("refused"))
	}
	require.Equal(t, 1, strings.Count(log.String(), "the doorbell was lost"), log.String())
	require.Equal(t, 1, strings.Count(log.String(), "the stream does not advance"), log.String())
	require.Contains(t, log.String(), "error=refused failed_before=0")
}
