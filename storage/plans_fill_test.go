// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"touchstone.example/storage"
)

// large is a database in which a wrong plan is a slow one: room 1 has 50,000
// events, of 5,000 members and the other half messages, the user @1:t is in
// every third of 2,000 small rooms, and every table has at least 1,000 rows.
// Each statement is a table, the columns, how many rows, and their values by i.
const large = `
push_rules user_id, rules, pos
	5000 '@' || i || ':t', BYTES, i
users user_id, kind, appservice_id, password_hash, admin, locked, suspended, created_at, deactivated_at, erased
	5000 '@' || i || ':t', 'user', '', '', FALSE, FALSE, FALSE, i, 0, FALSE
devices user_id, device_id, display_name, created_at, seen_at, seen_ip, seen_agent
	10000 '@' || (i % 5000) || ':t', 'D' || i, '', i, i, '', ''
access_tokens token_hash, user_id, device_id, client_id, scopes, refresh, created_at, expires_at, used_at
	10000 'a' || i, '@' || (i % 5000) || ':t', 'D' || i, '', '', 'r' || i, i, 0, 0
refresh_tokens token_hash, user_id, device_id, client_id, scopes, successor, created_at, expires_at
	10000 'r' || i, '@' || (i % 5000) || ':t', 'D' || i, '', '', CASE WHEN i % 2 = 0 THEN '' ELSE 'r' || (i + 1) END, i, 0
profiles user_id, field, value
	5000 '@' || i || ':t', 'displayname', BYTES
account_data user_id, room_nid, type, content, pos
	20000 '@' || (i % 5000) || ':t', i % 4, 't' || i, BYTES, i
key_backups user_id, version, algorithm, auth_data, etag, keys, deleted
	5000 '@' || (i % 1000) || ':t', i, '', BYTES, 0, 0, i % 2 = 0
backed_up_keys user_id, version, room_id, session_id, first_message_index, forwarded_count, is_verified, session_data
	20000 '@' || (i % 10) || ':t', 1, '!' || (i % 100), 's' || i, 0, 0, FALSE, BYTES
device_keys user_id, device_id, keys
	10000 '@' || (i % 5000) || ':t', 'D' || i, BYTES
one_time_keys user_id, device_id, algorithm, key_id, key, pos, claimed_at
	20000 '@' || (i % 100) || ':t', 'D' || (i % 100), 'signed_curve25519', 'K' || i, BYTES, i, CASE WHEN i % 2 = 0 THEN 0 ELSE i END
fallback_keys user_id, device_id, algorithm, key_id, key, used
	10000 '@' || (i % 5000) || ':t', 'D' || i, 'signed_curve25519', 'F', BYTES, FALSE
cross_signing_keys user_id, usage, key_id, key
	5000 '@' || i || ':t', 'master', 'M' || i, BYTES
key_signatures user_id, key_id, signer, signed_by, signature
	10000 '@' || (i % 5000) || ':t', 'D' || i, '@' || (i % 5000) || ':t', 'ed25519:S' || i, ''
device_lists user_id, pos
	5000 '@' || i || ':t', 10 * i
signed_users user_id, signed, pos
	5000 '@' || (i % 500) || ':t', '@' || i || ':t', i
to_device user_id, device_id, pos, sender, type, content
	20000 '@' || (i % 10) || ':t', 'D' || (i % 10), i, '@1:t', 'm.room.encrypted', BYTES
openid_tokens token_hash, user_id, expires_at
	5000 'o' || i, '@' || i || ':t', i
filters user_id, filter_id, hash, filter
	5000 '@' || (i % 1000) || ':t', i, 'h' || i, BYTES
ui_auth_sessions session_id, operation, user_id, request, completed, result, created_at
	3000 's' || i, '', CASE WHEN i % 2 = 0 THEN '' ELSE '@' || (i % 100) || ':t' END, BYTES, '', '', i
failures subject, forgiven_at
	2000 'f' || i, i
rooms nid, room_id, room_version, version, state_root, max_depth, public, partial, out_of_order, reevaluate_from, created_at
	2000 i, '!' || i || ':t', '12', 1, '', 10, i % 20 = 0, FALSE, i % 50 = 0, 0, i
events nid, event_id, room_nid, type, state_key, sender, depth, pos, origin_server_ts, redacts, replaces_nid, auth_nids, pdu, client,
	rejected, soft_failed, outlier, partial, forked, redacted_by, state_before, state_after
	50000 i, '$' || i, 1, CASE WHEN i % 10 = 0 THEN 'm.room.member' ELSE 'm.room.message' END,
	CASE WHEN i % 10 = 0 THEN '@' || (i / 10) || ':t' ELSE NULL END, '@' || (i % 5000) || ':t', i, i, i, '', 0, BYTES, BYTES, BYTES,
	FALSE, FALSE, FALSE, FALSE, FALSE, 0, '', ''
events nid, event_id, room_nid, type, state_key, sender, depth, pos, origin_server_ts, redacts, replaces_nid, auth_nids, pdu, client,
	rejected, soft_failed, outlier, partial, forked, redacted_by, state_before, state_after
	20000 50000 + i, '$' || (50000 + i), 1 + i % 2000, CASE WHEN i > 14000 THEN 'm.room.message' ELSE 'm.room.member' END,
	CASE WHEN i > 14000 THEN NULL ELSE '@' || (i / 2000) || ':t' END, '@1:t', i / 2000, 50000 + i, i, '', 0, BYTES, BYTES, BYTES,
	FALSE, FALSE, FALSE, FALSE, FALSE, 0, '', ''
waiting_redactions redacts, event_nid
	1000 '$' || i, i
auth_edges auth_nid, event_nid
	20000 i % 2000, i
forward_extremities room_nid, event_nid
	2000 i, i
backward_extremities room_nid, event_id, event_nid
	2000 1 + i % 200, '$g' || i, i
room_aliases alias, room_nid, creator, created_at
	2000 '#' || i || ':t', i, '@1:t', i
memberships room_nid, user_id, membership, event_nid, sender, pos, local, forgotten, server, rules_version
	5000 1, '@' || i || ':t', CASE WHEN i % 5 = 0 THEN 'leave' ELSE 'join' END, 10 * i, '@' || i || ':t', 10 * i, i % 2 = 0, FALSE, 's' || (i % 50), i % 10 / 9
memberships room_nid, user_id, membership, event_nid, sender, pos, local, forgotten, server
	12000 2 + i / 7, '@' || CASE i % 7 WHEN 0 THEN 1 ELSE 2 + i % 4997 END || ':t', 'join', 50000 + i, '@1:t', 50000 + i, TRUE, FALSE, 't'
state_nodes node_id, body
	10000 'n' || i, BYTES
room_state room_nid, pos, root, by_resolution
	5000 1, 10 * i, 'n' || i, i % 50 = 0
room_state room_nid, pos, root, by_resolution
	10000 2 + i % 1900, 50000 + i, 'n' || i, FALSE
receipts room_nid, user_id, thread_nid, kind, thread, event_id, event_pos, ts, pos
	5000 1, '@' || i || ':t', -1, CASE WHEN i % 2 = 0 THEN 'm.read' ELSE 'm.read.private' END, '', '$' || i, i, i, 10 * i
receipts room_nid, user_id, thread_nid, kind, thread, event_id, event_pos, ts, pos
	5000 2 + i % 1900, '@1:t', i, 'm.read', '$' || i, '$' || i, i, i, 50000 + i
presence user_id, state, status_msg, currently_active, last_active_at, online_at, idle_at, due_at, pos
	5000 '@' || i || ':t', 'offline', '', FALSE, i, i, i, CASE WHEN i % 500 = 0 THEN i ELSE 0 END, i
typing room_nid, user_id, until, pos
	5000 1, '@' || i || ':t', CASE WHEN i % 1000 = 0 THEN i ELSE 0 END, 10 * i
typing room_nid, user_id, until, pos
	5000 2 + i % 1900, '@' || i || ':t', 0, 50000 + i
unread room_nid, thread_nid, pos, nth
	40000 1, 0, i, i
unread room_nid, thread_nid, pos, nth
	10000 2 + i % 1900, i % 3, 50000 + i, i
unread_threads room_nid, thread_nid, pos
	2000 1 + i % 50, i, i
unread_exceptions user_id, room_nid, thread_nid, pos, notify, highlight
	10000 '@' || (i % 500) || ':t', 1 + i % 50, 0, i, 1, 0
unread_redacted room_nid, pos, thread_nid, counted
	10000 1 + i % 50, i, 0, 1
transactions user_id, device_id, operation, txn_id, event_nid, answer, created_at
	20000 '@' || (i % 5000) || ':t', 'D' || (i % 10000), 'send', 't' || i, CASE WHEN i % 10 = 0 THEN 0 ELSE i END, BYTES, i
changes pos, n, kind, room_nid, user_id, ref
	70000 i, 0, 'event', CASE WHEN i > 50000 THEN i - 50000 ELSE 1 END, '', i
cursors name, pos
	1000 'c' || i, i
server_info name, value
	1000 'k' || i, ''
id_blocks name, taken
	1000 'b' || i, i
`

// fill makes the large database.
func fill(t *testing.T, db *storage.DB) {
	t.Helper()
	bytes := map[string]string{"sqlite": "zeroblob(200)", "postgres": "CAST(repeat('x', 200) AS BYTEA)"}[db.Engine()]
	write(t, db, func(ctx context.Context, w *storage.Writer) error {
		for _, stmt := range strings.Split(strings.ReplaceAll(strings.TrimSpace(large), "\n\t", " "), "\n") {
			m := fillForm.FindStringSubmatch(stmt)
			require.NotNil(t, m, stmt)
			_, err := w.Exec(ctx, storage.NewQuery("t_fill", `WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < `+m[3]+`)
				INSERT INTO `+m[1]+` (`+m[2]+`) SELECT `+strings.ReplaceAll(m[4], "BYTES", bytes)+` FROM n`))
			require.NoError(t, err, stmt)
		}
		return nil
	})
}

var fillForm = regexp.MustCompile(`^(\w+) ([a-z_, ]+?) +(\d+) (.*)$`)
