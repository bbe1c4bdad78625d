// SPDX-License-Identifier: Apache-2.0

package clientsync

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/api/id"
)

var phone = device{"@alice:hs1", "PHONE"}

// TestWhatATokenToldIsBelievedWhenItComesBack: and not what a lost answer told.
func TestWhatATokenToldIsBelievedWhenItComesBack(t *testing.T) {
	l := &lazyMembers{}
	require.Empty(t, l.get(phone, 10), "another process gave that token")
	l.put(phone, 10, []int64{1, 2})
	l.put(phone, 11, []int64{1, 2, 3})
	require.Equal(t, []int64{1, 2}, l.get(phone, 10), "the answer with 11 was lost")
	require.Equal(t, []int64{1, 2, 3}, l.get(phone, 11))
	require.Empty(t, l.get(device{phone.user, "TABLET"}, 11))
}

// TestAnswersWithOneTokenToldWhatTheyHaveInCommon: whichever of them arrived.
func TestAnswersWithOneTokenToldWhatTheyHaveInCommon(t *testing.T) {
	l := &lazyMembers{}
	l.put(phone, 10, []int64{1, 2, 3})
	l.put(phone, 10, []int64{2, 3, 4})
	require.Equal(t, []int64{2, 3}, l.get(phone, 10))
	l.put(phone, 10, nil)
	require.Empty(t, l.get(phone, 10))
	// Also when what the first told has been forgotten.
	for pos := int64(11); pos < 20; pos++ {
		l.put(phone, pos, []int64{7})
	}
	require.Empty(t, l.get(phone, 11))
	l.put(phone, 11, []int64{7})
	require.Empty(t, l.get(phone, 11))
	require.Equal(t, []int64{7}, l.get(phone, 19))
}

// TestTheMemoryOfMembersIsBounded: by device and in all.
func TestTheMemoryOfMembersIsBounded(t *testing.T) {
	l := &lazyMembers{}
	l.put(phone, 1, make([]int64, maxKnownMembers+1))
	require.Empty(t, l.get(phone, 1))
	many := make([]int64, maxKnownMembers)
	for n := range 3 * maxKnownSize / maxKnownMembers {
		l.put(device{id.UserID(fmt.Sprint(n)), ""}, int64(n), many)
		require.LessOrEqual(t, l.size, maxKnownSize+maxKnownMembers+1)
	}
	l.put(phone, 1, []int64{1})
	require.Empty(t, l.get(phone, 1), "what else that token told is forgotten")
}
