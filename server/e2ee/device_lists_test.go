// SPDX-License-Identifier: Apache-2.0

package e2ee_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/seedrand"
	"touchstone.example/tests/slicetest"
)

func list(users ...*device) string {
	var ids []string
	for _, d := range users {
		ids = append(ids, d.user)
	}
	slices.Sort(ids)
	b, _ := json.Marshal(ids)
	return string(b)
}

// TestDeviceListsInSync: whose devices changed, who came, and who is gone, by the
// rooms that are shared.
func TestDeviceListsInSync(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob, carol := f.register("alice", "ALICE"), f.register("bob", "BOB"), f.register("carol", "CAROL")
		room := alice.room()
		bob.upload(slicetest.O{"device_keys": bob.keys()})
		first := alice.sync("")
		require.Empty(t, first.At("device_lists"), "only in what follows a token")
		since := first.At("next_batch")
		next := func(changed, left string) {
			t.Helper()
			a := alice.sync(since)
			require.Equal(t, changed, a.At("device_lists", "changed"))
			require.Equal(t, left, a.At("device_lists", "left"))
			got := alice.ok("GET", slicetest.Path("v3/keys/changes?x=")+slicetest.Query("from", since)+slicetest.Query("to", a.At("next_batch")), nil)
			orNone := func(s string) string {
				if s == "" {
					return "[]"
				}
				return s
			}
			require.Equal(t, orNone(changed), got.At("changed"))
			require.Equal(t, orNone(left), got.At("left"))
			since = a.At("next_batch")
		}
		next("", "")
		bob.join(room)
		next(list(bob), "")
		next("", "")
		bobs := bob.login("PHONE")
		next("", "") // it has no keys yet
		bobs.upload(slicetest.O{"device_keys": bobs.keys()})
		next(list(bob), "")
		bobs.upload(slicetest.O{"device_keys": bobs.keys(), "one_time_keys": bobs.oneTime("A")})
		next("", "")
		bob.ok("PUT", slicetest.Path("v3/devices/PHONE"), slicetest.O{"display_name": "Phone"})
		next(list(bob), "")
		bob.ok("PUT", slicetest.Path("v3/devices/PHONE"), slicetest.O{"display_name": "Phone"})
		next("", "")
		bob.ok("POST", pathCrossSigning, bob.set("bob"))
		next(list(bob), "")
		bob.ok("POST", pathSignatures, slicetest.O{bob.user: slicetest.O{"PHONE": sign(t, bobs.unsigned(), bob.user,
			"ed25519:"+public(keyOf("bobself_signing")), keyOf("bobself_signing"))}})
		next(list(bob), "")
		bobs.ok("POST", slicetest.Path("v3/logout"), slicetest.O{})
		next(list(bob), "")

		carol.upload(slicetest.O{"device_keys": carol.keys()})
		next("", "") // no room is shared
		carols := carol.room(bob)
		alice.join(carols)
		next(list(carol), "") // bob is known from the other room
		bob.leave(room)
		next("", "")
		bob.leave(carols)
		next("", list(bob))
		bob.upload(slicetest.O{"device_keys": bob.keys()})
		bob.join(room)
		bob.leave(room)
		next("", "")
		alice.leave(carols)
		next("", list(carol))
		alice.upload(slicetest.O{"device_keys": alice.keys()})
		next(list(alice), "")
		bob.join(room)
		alice.ok("POST", pathCrossSigning, alice.set("alice"))
		next(list(alice, bob), "")
		bobMaster := bob.crossSigning("master", keyOf("bobmaster"))
		alice.ok("POST", pathSignatures, slicetest.O{bob.user: slicetest.O{public(keyOf("bobmaster")): sign(t, bobMaster, alice.user,
			"ed25519:"+public(keyOf("aliceuser_signing")), keyOf("aliceuser_signing"))}})
		next(list(bob), "") // for alice's other devices
		require.Empty(t, bob.sync(since).At("device_lists"), "bob does not see whom alice trusts")
		bob.leave(room)
		keys := bob.unsigned()
		keys["algorithms"] = slicetest.L{"m.other"}
		bob.upload(slicetest.O{"device_keys": sign(t, keys, bob.user, "ed25519:BOB", bob.key)})
		bob.join(room)
		next(list(bob), "") // the change was made while alice shared no room with bob
		slicetest.Table(t, f.router, []slicetest.Row{
			{Name: "no token", Method: "GET", Path: slicetest.Path("v3/keys/changes?from=s&to=s"), Status: 401, ErrCode: "M_MISSING_TOKEN"},
			{Name: "no position", Method: "GET", Path: slicetest.Path("v3/keys/changes?from=s&to=s"), Token: alice.token, Status: 400, ErrCode: "M_INVALID_PARAM"},
			{Name: "no end", Method: "GET", Path: slicetest.Path("v3/keys/changes?from=" + since), Token: alice.token, Status: 400, ErrCode: "M_MISSING_PARAM"},
		})
	})
}

// TestClientsFollowDevices: a client that believes what it is told has the keys of
// all with whom it shares a room, and of nobody else, whatever joins, leaves and
// changes of keys lie in one window, by /sync and by /keys/changes.
func TestClientsFollowDevices(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { followDevices(t, newFixture(t, db), seed) })
		}
	})
}

func followDevices(t *testing.T, f *fixture, seed uint64) {
	d := seedrand.Dice(seed)
	var people []*device
	for i := range 5 {
		people = append(people, f.register(fmt.Sprintf("user%d-%d", seed, i), fmt.Sprintf("D%d", i)))
	}
	alice := people[0]
	var rooms []string
	members := map[string]map[*device]bool{}
	for i := range 3 {
		room := people[i].room()
		rooms = append(rooms, room)
		members[room] = map[*device]bool{people[i]: true}
	}
	act := func() {
		p, room := people[d.Roll(len(people))], rooms[d.Roll(len(rooms))]
		switch d.Roll(4) {
		case 0:
			p.join(room)
			members[room][p] = true
		case 1:
			if members[room][p] {
				p.leave(room)
				delete(members[room], p)
			}
		default:
			keys := p.unsigned()
			keys["algorithms"] = slicetest.L{fmt.Sprint("m.", d.Roll(1000))}
			p.upload(slicetest.O{"device_keys": sign(t, keys, p.user, "ed25519:"+p.id, p.key)})
		}
	}
	keysOf := func(user string) string { return alice.query(user).At("device_keys", user) }
	sharing := func() map[string]bool {
		out := map[string]bool{}
		for _, room := range rooms {
			for p := range members[room] {
				if members[room][alice] && p != alice {
					out[p.user] = true
				}
			}
		}
		return out
	}
	follow := func(known map[string]string, changed, left string) {
		var users []string
		if changed != "" {
			require.NoError(t, json.Unmarshal([]byte(changed), &users))
		}
		for _, user := range users {
			known[user] = keysOf(user)
		}
		if left != "" {
			require.NoError(t, json.Unmarshal([]byte(left), &users))
			for _, user := range users {
				delete(known, user)
			}
		}
	}
	since := alice.sync("").At("next_batch")
	bySync, byChanges := map[string]string{}, map[string]string{}
	for user := range sharing() {
		bySync[user] = keysOf(user)
	}
	maps.Copy(byChanges, bySync)
	for step := range 40 {
		for range 1 + d.Roll(4) {
			act()
		}
		a := alice.sync(since)
		follow(bySync, a.At("device_lists", "changed"), a.At("device_lists", "left"))
		b := alice.ok("GET", slicetest.Path("v3/keys/changes?x=")+slicetest.Query("from", since)+slicetest.Query("to", a.At("next_batch")), nil)
		follow(byChanges, b.At("changed"), b.At("left"))
		since = a.At("next_batch")
		want := map[string]string{}
		for user := range sharing() {
			want[user] = keysOf(user)
		}
		for _, known := range []map[string]string{bySync, byChanges} {
			delete(known, alice.user)
			require.Equal(t, want, known, "step %d", step)
		}
	}
}
