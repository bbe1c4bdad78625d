// SPDX-License-Identifier: Apache-2.0

package storage

// Queries that only one engine can run, each with its reason. All others are written
// once for both.

// postgresOnly creates the sequences; SQLite has counters in memory instead.
//
// CACHE 1: a connection that cached positions would use them out of order, and a fence
// would not wait for those it has not used yet.
const postgresOnly = `
CREATE SEQUENCE positions CACHE 1;
CREATE SEQUENCE id_numbers INCREMENT BY 256 CACHE 1;
`

// engineOnly makes a query for one engine. It is not registered, since the other
// engine cannot prepare it.
func engineOnly(name, text string) *query { return &query{name: name, text: text, sqlite: text} }

var (
	// Row numbers, idBlock at a time: the sequence's increment is that block.
	dPgTakeIDs = engineOnly("pg_take_ids", `SELECT nextval('id_numbers')`)

	// The three statements of ReservePosition. A transaction gets its ID with its first
	// write; without one, a fence would not see it. Its lock on changes distinguishes
	// it from other programs' transactions when a fence has waited for long.
	dPgLockChanges = engineOnly("pg_lock_changes", `LOCK TABLE changes IN ROW EXCLUSIVE MODE`)
	dPgForceID     = engineOnly("pg_force_id", `SELECT pg_current_xact_id()`)
	dPgPositions   = engineOnly("pg_positions", `SELECT nextval('positions') FROM generate_series(1, $1)`)

	// The fence. A sequence's last value is the last one drawn, committed or not.
	dPgLastPosition = engineOnly("pg_last_position", `SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM positions`)
	dPgFenceID      = engineOnly("pg_fence_id", `SELECT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)`)
	dPgOldestID     = engineOnly("pg_oldest_id", `SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)`)

	dPgNewChanges = engineOnly("pg_new_changes", `SELECT pos, kind, room_nid, user_id, ref FROM changes WHERE pos > $1 ORDER BY pos, n LIMIT $2`)

	// The IDs of the transactions that hold the lock on changes which ReservePosition
	// takes.
	dPgWriters = engineOnly("pg_writers", `SELECT CAST(CAST(own.transactionid AS TEXT) AS BIGINT)
		FROM pg_locks AS held JOIN pg_locks AS own ON own.virtualtransaction = held.virtualtransaction
		WHERE held.locktype = 'relation' AND held.mode = 'RowExclusiveLock'
			AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND held.relation = CAST('changes' AS regclass)
			AND own.locktype = 'transactionid' AND own.mode = 'ExclusiveLock' AND own.granted`)

	// Where the database is. The timeline changes when a standby takes over, or
	// the cluster is put back to an earlier time; the row in pg_database and the
	// table when a dump is restored. All of it may be read by any role.
	dPgCluster = engineOnly("pg_cluster", `SELECT CAST(system_identifier AS TEXT) || ' ' ||
		substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) FROM pg_control_system()`)
	dPgTables = engineOnly("pg_tables", `SELECT CAST(oid AS TEXT) || ' ' || CAST(CAST(CAST('changes' AS regclass) AS oid) AS TEXT)
		FROM pg_database WHERE datname = current_database()`)
	dPgLockEpochs = engineOnly("pg_lock_epochs", `SELECT pg_advisory_xact_lock($1)`)

	dPgSynchronous = engineOnly("pg_synchronous", `SELECT set_config('synchronous_commit', 'on', FALSE)
		WHERE current_setting('synchronous_commit') = 'off'`)

	// What the feed polls while it is idle.
	dPgProgress = engineOnly("pg_progress", `SELECT CASE WHEN is_called THEN last_value ELSE 0 END,
		(SELECT COALESCE(MAX(epoch), 1) FROM epochs) FROM positions`)

	dPgLockAlone  = engineOnly("pg_lock_alone", `SELECT pg_try_advisory_lock($1)`)
	dPgLockShared = engineOnly("pg_lock_shared", `SELECT pg_try_advisory_lock_shared($1)`)
	dPgRing       = engineOnly("pg_ring", `SELECT pg_notify($1, $2)`)
)
