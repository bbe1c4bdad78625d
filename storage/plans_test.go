// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
	"touchstone.example/storage/storagetest"
)

// reads are what queries may read of a table but for single rows, by the reason
// why that is not more than they have to. See storage.Plan for how it is written.
var reads = map[string][]string{
	"it is the answer, or what is to be deleted": {
		"aliases room_aliases(room_nid)",
		"backed_up_keys backed_up_keys(user_id, version)",
		"backed_up_keys_of_room backed_up_keys(user_id, version, room_id)",
		"delete_backed_up_keys backed_up_keys(user_id, version)",
		"delete_backed_up_keys_of_room backed_up_keys(user_id, version, room_id)",
		"copy_rules_versions memberships(user_id)",
		"count_one_time_keys one_time_keys(user_id, device_id) WHERE claimed_at = 0",
		"cross_signing_keys cross_signing_keys(user_id)",
		"delete_access_tokens_all access_tokens(user_id)",
		"delete_access_tokens_of access_tokens(user_id, device_id)",
		"delete_backward_extremity backward_extremities(room_nid, event_id)",
		"delete_claimed_keys one_time_keys(user_id, device_id, claimed_at..) WHERE claimed_at > 0",
		"delete_devices_all devices(user_id)",
		"delete_fallback_keys fallback_keys(user_id, device_id)",
		"delete_key_signatures key_signatures(user_id, key_id)",
		"delete_one_time_keys one_time_keys(user_id, device_id)",
		"members_with_rules memberships(room_nid) WHERE rules_version > 0",
		"delete_predecessors refresh_tokens(successor) WHERE successor <> ''",
		"delete_profile profiles(user_id)",
		"delete_refresh_tokens_all refresh_tokens(user_id)",
		"delete_refresh_tokens_of refresh_tokens(user_id, device_id)",
		"delete_txns_of transactions(user_id, device_id)",
		"delete_ui_auth ui_auth_sessions(created_at..)",
		"delete_to_device_of to_device(user_id, device_id, pos..)",
		"device_keys_of device_keys(user_id)",
		"devices devices(user_id)",
		"devices_of devices(user_id)",
		"devices_with_keys device_keys(user_id)",
		"trim_ui_auth ui_auth_sessions(user_id, created_at..)",
		"fallback_keys fallback_keys(user_id, device_id)",
		"forward_extremities forward_extremities(room_nid)",
		"key_signatures key_signatures(user_id)",
		"local_members memberships(room_nid, membership) WHERE local",
		"local_members memberships(room_nid, membership, local) WHERE local",
		"local_members_of_kind memberships(room_nid, membership) WHERE local",
		"local_members_of_kind memberships(room_nid, membership, local) WHERE local",
		"member_events events(room_nid, state_key) WHERE type = 'm.room.member'",
		"members memberships(room_nid, membership)",
		"memberships_of memberships(user_id, membership)",
		"event_nids_from events(room_nid)",
		"event_nids_from events(room_nid, nid..)",
		"profile profiles(user_id)",
		"profiles profiles(user_id)",
		"public_rooms rooms() WHERE public",
		"waiting_redactions waiting_redactions(redacts)",
	},
	"it has happened in a window of positions, and is the answer": {
		"account_data_since account_data(user_id, pos..)",
		"presence_since presence(pos..)",
		"device_lists_changed device_lists(pos..)",
		"members_since memberships(room_nid, membership, pos..)",
		"typing_since typing(room_nid, pos..)",
		"typing_in typing(room_nid, until..) WHERE until > 0",
		"receipts_in receipts(room_nid, pos..)",
		"receipts_of receipts(user_id, pos..)",
		"resolved_in room_state(room_nid, by_resolution, pos..) WHERE by_resolution",
		"resolved_in room_state(room_nid, pos..) WHERE by_resolution",
		"signed_users signed_users(user_id, pos..)",
		"unread_in unread_exceptions(room_nid, user_id, pos..)",
		"unread_in unread_redacted(room_nid, pos..)",
		"unread_in unread_threads(room_nid, pos..)",
	},
	"a LIMIT, MAX or cut ends it": {
		"events_authorised_by auth_edges(auth_nid, event_nid..)",
		"changes changes(pos..)",
		"claim_one_time_key one_time_keys(user_id, device_id, algorithm) WHERE claimed_at = 0",
		"compact_changes changes()",
		"compact_changes changes(pos..)",
		"current_key_backup key_backups(user_id) WHERE NOT deleted",
		"current_key_backup key_backups(user_id)",
		"delete_openid_tokens openid_tokens()",
		"delete_openid_tokens openid_tokens(expires_at..)",
		"delete_to_device to_device(user_id, device_id)",
		"delete_to_device to_device(user_id, device_id, pos..)",
		"delete_txns transactions(created_at..)",
		"delete_txns_up_to transactions(user_id, device_id)",
		"delete_txns_up_to transactions(user_id, device_id, operation..)",
		"first_members_in memberships(room_nid, membership, pos..)",
		"first_members_in sort for a LIMIT",
		"forget_to_device to_device(user_id, device_id)",
		"forget_to_device to_device(user_id, device_id, pos..)",
		"has_successors backward_extremities(room_nid, event_id)",
		"free_jobs jobs() WHERE holder = ''",
		"next_presence presence() WHERE due_at > 0",
		"next_presence presence(due_at..) WHERE due_at > 0",
		"next_typing typing(until..) WHERE until > 0",
		"presence_due presence(due_at..) WHERE due_at > 0",
		"next_typing typing() WHERE until > 0",
		"typing_until typing(until..) WHERE until > 0",
		"insert_unread unread(room_nid, thread_nid)",
		"last_change changes(pos..)",
		"members_with_rules memberships(room_nid) WHERE membership = 'join'",
		"members_with_rules memberships(room_nid, membership)",
		"next_key_backup key_backups(user_id)",
		"last_position changes()",
		"topo_pos_at events(room_nid, pos..) WHERE pos IS NOT NULL",
		"old_failures failures(forgiven_at..)",
		"oldest_ui_auth ui_auth_sessions(user_id)",
		"page_back events(room_nid, depth..)",
		"page_forward events(room_nid, depth..)",
		"rooms_after memberships(user_id, membership, room_nid..)",
		"room_roots_at room_state(room_nid, pos..)",
		"room_state_at room_state(room_nid, pos..)",
		"room_states_at room_state(room_nid, pos..)",
		"server_joined memberships(room_nid, server) WHERE membership = 'join'",
		"to_device to_device(user_id, device_id, pos..)",
		"to_device_bound to_device(user_id, device_id)",
		"to_device_bound_of to_device(user_id, device_id)",
		"to_device_device to_device(user_id, device_id..)",
		"timeline_newest events(room_nid, pos..) WHERE pos IS NOT NULL",
		"txn_device transactions(user_id, device_id..)",
		"timelines events(room_nid, pos..) WHERE pos IS NOT NULL",
		"unread_in unread(room_nid, thread_nid, pos..)",
	},
	"they are the rooms of the few whose devices or memberships have changed": {
		"rooms_of memberships(user_id)",
		"rooms_of memberships(user_id, membership)",
	},
	"there is one, or few": {
		"count_failing_jobs jobs() WHERE attempts >= 10",
		"held_jobs jobs() WHERE holder > ''",
		"delete_forward_extremities forward_extremities(room_nid)",
		"epochs epochs()",
		"unread_in receipts(room_nid, user_id, thread_nid)", // public and private
		"presence_since memberships(user_id, membership)",   // the rooms of one user
		"shares_room memberships(user_id, membership)",
		"typing_in typing(until..) WHERE until > 0", // all who type now
		"device_seen_from devices(user_id)",
		"oldest_cursor cursors()",
		"oldest_cursor sort for a LIMIT",
		"oldest_ui_auth sort for a LIMIT",                      // of 10,000 at most, once in a while
		"txn_ids transactions(event_nid) WHERE event_nid <> 0", // an event has one
	},
	"PostgreSQL finds one user's rows, and looks through them, sooner than several keys": {
		"backed_up_keys_in backed_up_keys(user_id, version, room_id)",
		"delete_access_tokens_of access_tokens(user_id)",
		"delete_device_keys device_keys(user_id)",
		"delete_devices devices(user_id)",
		"delete_fallback_keys fallback_keys(user_id)",
		"delete_key_signatures key_signatures(user_id)",
		"delete_one_time_keys one_time_keys(user_id)",
		"delete_refresh_tokens_of refresh_tokens(user_id)",
		"memberships_in memberships(user_id)",
		"memberships_of memberships(user_id)",
		"one_time_keys one_time_keys(user_id, device_id, algorithm)",
		"memberships_since memberships(user_id)",
		"presence_since memberships(user_id)",
		"shares_room memberships(user_id)",
		"account_data_of account_data(user_id, room_nid)",
		"unread_in memberships(user_id)",
	},
	"only once: counts are remembered, and a member list is asked for seldom": {
		"count_members memberships(room_nid)",
		"count_members memberships(room_nid, membership)",
		"count_users users()",
		"members memberships(room_nid)",
	},
	"how far it goes back from the room's end is as much as the client has missed, and only in a room with events out of order": {
		"last_topo_pos_at events(room_nid)",
	},
}

// TestNoQueryReadsMoreThanItHasTo: what a query costs must not grow with the age
// of a room or the size of the server. The plans must be right when the tables
// are empty (they are kept: see planner), when they have grown and nobody has
// counted them since, and with statistics.
func TestNoQueryReadsMoreThanItHasTo(t *testing.T) {
	t.Log(storagetest.Explain())
	allowed := map[string]bool{}
	for _, list := range reads {
		for _, read := range list {
			allowed[read] = true
		}
	}
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		check := func(when string) {
			for _, q := range storage.Queries() {
				plan := db.Explain(t, q.Name)
				for _, read := range plan.Reads {
					if !allowed[q.Name+" "+read] {
						t.Errorf("%s: query %s reads %s: give it an index, or list it above with the reason%s", when, q.Name, read, plan.Text)
					}
				}
			}
		}
		check("empty tables")
		fill(t, db)
		check("large tables without statistics")
		db.Analyze(t)
		check("large tables with statistics")
		seesWhatIsWrong(t, db)
	})
}

// seesWhatIsWrong: a query that goes through a room, one that has no index, and
// one that sorts what it will not return.
func seesWhatIsWrong(t *testing.T, db *storage.DB) {
	for text, want := range map[string]string{
		`SELECT nid FROM events WHERE room_nid = $1 AND sender = $2`:                     "events(room_nid)",
		`SELECT e.nid FROM events AS e WHERE e.sender = $1`:                              "events()",
		`SELECT nid FROM events WHERE room_nid = $1 ORDER BY sender LIMIT 5`:             "sort for a LIMIT",
		`SELECT nid FROM events WHERE event_id = $1`:                                     "",
		`SELECT nid FROM events WHERE room_nid = $1 AND (depth, nid) < ($2, $3) LIMIT 5`: "events(room_nid, depth..)",
	} {
		plan := db.ExplainQuery(t, storage.NewQuery("t_plan", text))
		if want == "" {
			require.Empty(t, plan.Reads, plan.Text)
		} else {
			require.Contains(t, plan.Reads, want, plan.Text)
		}
	}
}
