package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dialect is what the two databases differ in.
type dialect struct {
	// now is an expression for the microseconds since 1970 by the clock of the database.
	now      func() string
	place    func(n int) string                      // of an argument in a list of values
	among    func(columns, places []string) []string // conditions of a search, see journalfind.go
	greatest string                                  // the function
	types    *strings.Replacer                       // of columns
	lock     []string                                // statements that begin a migration
	expired  string                                  // begins the deletion of tokens that are no longer kept, with %s for now
	// These delete what is older than $1 from the journal, with %d for how many at most; of the sums those of the span $2.
	expiredEntries, expiredCounts, expiredAffected string
}

func sqlite() dialect {
	return dialect{
		// The database runs in this process. Its own functions have the same clock, and count in milliseconds: too few to order
		// tokens by.
		now: func() string { return strconv.FormatInt(time.Now().UnixMicro(), 10) },
		// Of places with a number SQLite keeps a list, which it searches for each of them.
		place:    func(int) string { return "?" },
		among:    amongRows,
		greatest: "MAX",
		types:    strings.NewReplacer("{bytes}", "BLOB", "{integer}", "INTEGER", "{key}", "TEXT", "{table}", "STRICT", "{clustered}", "STRICT, WITHOUT ROWID"),
		expired:  "DELETE FROM tokens WHERE rowid IN (SELECT rowid FROM tokens WHERE keep_until < %s ORDER BY keep_until LIMIT %d)",

		expiredEntries:  "DELETE FROM journal WHERE rowid IN (SELECT rowid FROM journal WHERE id < $1 ORDER BY id LIMIT %d)",
		expiredCounts:   "DELETE FROM journal_counts WHERE (span, start, policy, kind, name) IN (SELECT span, start, policy, kind, name FROM journal_counts WHERE start < $1 AND span = $2 LIMIT %d)",
		expiredAffected: "DELETE FROM journal_affected WHERE (policy, rule, identifier_key) IN (SELECT policy, rule, identifier_key FROM journal_affected WHERE id < $1 LIMIT %d)",
	}
}

func postgreSQL() dialect {
	return dialect{
		// Not now(), which stands still in a transaction: a redemption that has waited for another one is judged when it goes on.
		now:      func() string { return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)" },
		place:    func(n int) string { return "$" + strconv.Itoa(n) },
		among:    amongArrays,
		greatest: "GREATEST",
		// A key is compared byte by byte, as in SQLite, whatever the locale of the database is.
		types: strings.NewReplacer("{bytes}", "BYTEA", "{integer}", "BIGINT", "{key}", `TEXT COLLATE "C"`, "{table}", "", "{clustered}", ""),
		lock: []string{
			"SET LOCAL statement_timeout = " + milliseconds(migrationTimeout),
			"SELECT pg_advisory_xact_lock(" + strconv.FormatInt(lockNumber("migration", ""), 10) + ")",
		},
		// The array is made once, whatever the planner does. Other replicas skip the rows of this one.
		expired: "DELETE FROM tokens WHERE id = ANY(ARRAY(SELECT id FROM tokens WHERE keep_until < (SELECT %s) ORDER BY keep_until LIMIT %d FOR UPDATE SKIP LOCKED))",

		expiredEntries:  "DELETE FROM journal WHERE id = ANY(ARRAY(SELECT id FROM journal WHERE id < $1 ORDER BY id LIMIT %d FOR UPDATE SKIP LOCKED))",
		expiredCounts:   "DELETE FROM journal_counts WHERE ctid = ANY(ARRAY(SELECT ctid FROM journal_counts WHERE start < $1 AND span = $2 LIMIT %d FOR UPDATE SKIP LOCKED))",
		expiredAffected: "DELETE FROM journal_affected WHERE ctid = ANY(ARRAY(SELECT ctid FROM journal_affected WHERE id < $1 LIMIT %d FOR UPDATE SKIP LOCKED))",
	}
}

const versionTable = "step_posture_schema"

// migrations are the versions of the schema, the first one is 1. They only add: a daemon of the version before runs beside this
// one during a roll-out. What was released is never changed.
func migrations() [][]string {
	return [][]string{
		{
			`CREATE TABLE tokens (
				id TEXT PRIMARY KEY,
				hash {bytes} NOT NULL UNIQUE,
				policy TEXT NOT NULL,
				identifier TEXT NOT NULL,
				identifier_key TEXT,
				udid TEXT NOT NULL,
				udid_key TEXT,
				client TEXT NOT NULL,
				created_at {integer} NOT NULL,
				expires_at {integer} NOT NULL,
				bound_at {integer},
				key {bytes},
				bound_to TEXT,
				bound_to_key TEXT,
				revoked_at {integer},
				keep_until {integer} NOT NULL
			) {table}`,
			"CREATE INDEX tokens_created ON tokens (created_at)",
			"CREATE INDEX tokens_policy ON tokens (policy, created_at)",
			"CREATE INDEX tokens_key ON tokens (policy, key) WHERE key IS NOT NULL",
			"CREATE INDEX tokens_identifier ON tokens (identifier_key, expires_at) WHERE identifier_key IS NOT NULL",
			"CREATE INDEX tokens_udid ON tokens (udid_key, expires_at) WHERE udid_key IS NOT NULL",
			"CREATE INDEX tokens_bound_to ON tokens (bound_to_key) WHERE bound_to_key IS NOT NULL",
			"CREATE INDEX tokens_keep_until ON tokens (keep_until)",
		},
		{
			// The ID begins with the time, so that the primary key orders by it. Empty texts are in no index but that of references.
			`CREATE TABLE journal (
				id {bytes} NOT NULL PRIMARY KEY,
				reference {key} NOT NULL,
				identifier_key {key} NOT NULL,
				policy {key} NOT NULL,
				code {key} NOT NULL,
				refused {integer} NOT NULL,
				evaluated {integer} NOT NULL,
				line TEXT NOT NULL,
				rules TEXT NOT NULL
			) {table}`,
			"CREATE INDEX journal_reference ON journal (reference)",
			"CREATE INDEX journal_identifier ON journal (identifier_key, id) WHERE identifier_key <> ''",
			"CREATE INDEX journal_identifier_refused ON journal (identifier_key, id) WHERE identifier_key <> '' AND refused = 1",
			"CREATE INDEX journal_policy ON journal (policy, id) WHERE policy <> ''",
			"CREATE INDEX journal_policy_refused ON journal (policy, id) WHERE policy <> '' AND refused = 1",
			"CREATE INDEX journal_code_policy ON journal (code, policy, id) WHERE code <> '' AND policy <> ''",
			"CREATE INDEX journal_code ON journal (code, id) WHERE code <> ''",
			"CREATE INDEX journal_refused ON journal (id) WHERE refused = 1",
			// Sums, so that an overview need not read what they sum up. Span and kind say what is counted, see journalcounts.go.
			`CREATE TABLE journal_counts (
				span {key} NOT NULL,
				start {integer} NOT NULL,
				policy {key} NOT NULL,
				kind {key} NOT NULL,
				name {key} NOT NULL,
				n {integer} NOT NULL,
				PRIMARY KEY (span, start, policy, kind, name)
			) {clustered}`,
			// The devices whose latest decision a rule in report-only mode would have refused.
			`CREATE TABLE journal_affected (
				policy {key} NOT NULL,
				rule {key} NOT NULL,
				identifier_key {key} NOT NULL,
				identifier TEXT NOT NULL,
				reference TEXT NOT NULL,
				id {bytes} NOT NULL,
				PRIMARY KEY (policy, rule, identifier_key)
			) {clustered}`,
			"CREATE INDEX journal_affected_device ON journal_affected (identifier_key)",
			`CREATE TABLE console_sessions (
				hash {bytes} NOT NULL PRIMARY KEY,
				person TEXT NOT NULL,
				source TEXT NOT NULL,
				created_at {integer} NOT NULL,
				expires_at {integer} NOT NULL
			) {table}`,
			"CREATE INDEX console_sessions_expires ON console_sessions (expires_at)",
			// One row: what signs the cookies of all replicas.
			`CREATE TABLE console_keys (
				id {integer} PRIMARY KEY,
				key {bytes} NOT NULL
			) {table}`,
		},
	}
}

// Ready returns an error where the database does not answer, or has not the tables, ErrNoTables. For the daemon it makes those that are
// missing. A newer schema is none: a daemon of the next version has made it.
func (d *DB) Ready(ctx context.Context) error {
	version := 0
	err := d.read(ctx, func(ctx context.Context, q querier) (err error) {
		version, err = schemaVersion(ctx, q)
		return err
	})
	if f := (*fault)(nil); errors.As(err, &f) && f.class == noTable {
		err = nil
	}
	if err == nil && version < len(migrations()) {
		if d.daemon {
			err = d.migrate(ctx)
		} else if version == 0 {
			err = d.wantOwn(ctx)
		}
		if err == nil && !d.daemon { // also where a daemon of the version before has made it
			return &fault{place: d.url.String(), class: noTable, cause: ErrNoTables}
		}
	}
	if err == nil {
		err = d.wantTables(ctx)
	}
	if err == nil && d.daemon {
		err = d.wantWrites(ctx)
	}
	return err
}

// table is one that is read and written.
type table struct{ name, columns, updated string }

func tables() []table {
	return []table{
		{"tokens", columns + ", keep_until", "revoked_at"},
		{"journal", journalColumns, ""},
		{"journal_counts", "span, start, policy, kind, name, n", "n"},
		{"journal_affected", "policy, rule, identifier_key, identifier, reference, id", "id"},
		{"console_sessions", "hash, person, source, created_at, expires_at", ""},
		{"console_keys", "id, key", ""},
	}
}

// wantTables: a restore may have brought the version back, and not the tables.
func (d *DB) wantTables(ctx context.Context) error {
	err := d.read(ctx, func(ctx context.Context, q querier) error {
		for _, t := range tables() {
			if _, err := q.ExecContext(ctx, "SELECT "+t.columns+" FROM "+t.name+" WHERE 1 = 0"); err != nil {
				return err
			}
		}
		return nil
	})
	if f := (*fault)(nil); errors.As(err, &f) && f.class == noTable {
		return &fault{place: f.place, class: incomplete, code: f.code}
	}
	return err
}

// wantWrites asks for what changes no row: a server may have become one that only reads, and the user may have lost a privilege.
// Whether there is room shows only where something is written; after that had failed it is tried.
func (d *DB) wantWrites(ctx context.Context) error {
	var statements []string
	for _, t := range tables() {
		statements = append(statements, "INSERT INTO "+t.name+" ("+t.columns+") SELECT "+t.columns+" FROM "+t.name+" WHERE 1 = 0")
		if t.updated != "" {
			statements = append(statements, "UPDATE "+t.name+" SET "+t.updated+" = "+t.updated+" WHERE 1 = 0")
		}
	}
	tried := d.noRoom.Load()
	if tried {
		statements = append(statements, "INSERT INTO "+versionTable+" VALUES (-1, 0)", "DELETE FROM "+versionTable+" WHERE version = -1")
	}
	err := d.transaction(ctx, func(ctx context.Context, q querier) error { return d.run(ctx, q, statements) })
	if err == nil && tried {
		d.noRoom.Store(false)
	}
	return err
}

// wantSameFile: what is written to a file that was removed is lost with the daemon.
func (d *DB) wantSameFile() error {
	if d.file == nil {
		return nil
	}
	info, err := os.Stat(d.url.path)
	if err != nil || !os.SameFile(info, d.file) {
		return &fault{place: d.url.String(), class: moved}
	}
	return nil
}

func schemaVersion(ctx context.Context, q querier) (int, error) {
	var version sql.NullInt64
	err := q.QueryRowContext(ctx, "SELECT MAX(version) FROM "+versionTable).Scan(&version)
	return int(version.Int64), err
}

// migrate brings the schema to the newest version, or leaves it as it is.
func (d *DB) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrationTimeout)
	defer cancel()
	err := d.inTransaction(ctx, func(ctx context.Context, q querier) error {
		begin := slices.Concat(d.dialect.lock, []string{"CREATE TABLE IF NOT EXISTS " + versionTable + " (version {integer} PRIMARY KEY, applied_at {integer} NOT NULL) {table}"})
		if err := d.run(ctx, q, begin); err != nil {
			return err
		}
		version, err := schemaVersion(ctx, q)
		if err != nil {
			return err
		}
		all := migrations()
		for ; version < len(all); version++ {
			applied := "INSERT INTO " + versionTable + " VALUES (" + strconv.Itoa(version+1) + ", " + d.dialect.now() + ")"
			if err := d.run(ctx, q, append(all[version], applied)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return d.fault(ctx, err)
	}
	return nil
}

func (d *DB) run(ctx context.Context, q querier, statements []string) error {
	for _, s := range statements {
		if _, err := q.ExecContext(ctx, d.dialect.types.Replace(s)); err != nil {
			return err
		}
	}
	return nil
}
