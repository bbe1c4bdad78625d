// SPDX-License-Identifier: Apache-2.0

package e2ee_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// TestEachKeyIsClaimedOnce by as many claimers as there are keys, and by one more
// than that nobody gets anything twice, whichever process is asked.
func TestEachKeyIsClaimedOnce(t *testing.T) {
	storagetest.EachURL(t, func(t *testing.T, url string) {
		processes := []*fixture{newFixture(t, storagetest.OpenURL(t, url))}
		if processes[0].DB.Engine() == "postgres" {
			for range 2 {
				processes = append(processes, newFixture(t, storagetest.OpenURL(t, url)))
			}
		}
		const claimers, keys = 50, 45
		f := processes[0]
		alice, bob := f.register("alice", "ALICE"), f.register("bob", "BOB")
		var names []string
		for i := range keys {
			names = append(names, fmt.Sprintf("k%02d", i))
		}
		alice.upload(slicetest.O{"device_keys": alice.keys(), "one_time_keys": alice.oneTime(names...)})
		fallback := alice.oneTime("F")
		alice.upload(slicetest.O{"fallback_keys": fallback})

		got := make([]string, claimers)
		var wait sync.WaitGroup
		for i := range claimers {
			at := *bob
			at.f = processes[i%len(processes)]
			wait.Go(func() {
				a := slicetest.Do(t, at.f.router, "POST", slicetest.Path("v3/keys/claim"), at.token, slicetest.O{
					"one_time_keys": slicetest.O{alice.user: slicetest.O{"ALICE": "signed_curve25519"}}})
				got[i] = a.At("one_time_keys", alice.user, "ALICE")
			})
		}
		wait.Wait()
		times := map[string]int{}
		for _, key := range got {
			require.NotEmpty(t, key)
			times[key]++
		}
		require.Len(t, times, keys+1)
		for key, n := range times {
			if n > 1 {
				require.Contains(t, key, "signed_curve25519:F", "only the fallback key is given out twice")
			}
		}
		require.Equal(t, `{"signed_curve25519":0}`, alice.sync("").At("device_one_time_keys_count"))
	})
}

// TestClaimsOfSeveralUsers are answered with what there is.
func TestClaimsOfSeveralUsers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.register("alice", "ALICE"), f.register("bob", "BOB")
		phone := alice.login("PHONE")
		alice.upload(slicetest.O{"one_time_keys": alice.oneTime("A")})
		phone.upload(slicetest.O{"one_time_keys": phone.oneTime("P")})
		a := bob.ok("POST", slicetest.Path("v3/keys/claim"), slicetest.O{"timeout": 10, "one_time_keys": slicetest.O{
			alice.user:    slicetest.O{"ALICE": "signed_curve25519", "PHONE": "signed_curve25519", "NONE": "signed_curve25519"},
			bob.user:      slicetest.O{"BOB": "signed_curve25519"},
			"@nobody:hs1": slicetest.O{"X": "signed_curve25519"},
			"@carol:hs2":  slicetest.O{"X": "signed_curve25519"},
		}})
		require.NotEmpty(t, a.At("one_time_keys", alice.user, "ALICE", "signed_curve25519:A"))
		require.NotEmpty(t, a.At("one_time_keys", alice.user, "PHONE", "signed_curve25519:P"))
		require.Empty(t, a.At("one_time_keys", alice.user, "NONE"))
		for _, user := range []string{bob.user, "@nobody:hs1", "@carol:hs2"} {
			require.Empty(t, a.At("one_time_keys", user))
		}
		require.NotEmpty(t, a.At("failures", "hs2"))
		slicetest.Table(t, f.router, []slicetest.Row{
			{Name: "no token", Method: "POST", Path: slicetest.Path("v3/keys/claim"), Body: slicetest.O{"one_time_keys": slicetest.O{}}, Status: 401, ErrCode: "M_MISSING_TOKEN"},
			{Name: "nothing", Method: "POST", Path: slicetest.Path("v3/keys/claim"), Token: bob.token, Body: slicetest.O{}, Status: 400, ErrCode: "M_BAD_JSON"},
			{Name: "no user", Method: "POST", Path: slicetest.Path("v3/keys/claim"), Token: bob.token, Body: slicetest.O{"one_time_keys": slicetest.O{"nobody": slicetest.O{}}}, Status: 400, ErrCode: "M_BAD_JSON"},
		})
	})
}
