package store_test

import (
	"context"
	"database/sql"
	"fmt"
)

// manyRows is from how many rows on it is faster to make the indexes afterwards.
const manyRows = 100_000

// generate makes tokens that were used long ago, and are not kept any more.
func (b *backend) generate(count int, policy string) func(context.Context, *sql.DB) error {
	const fields = "INSERT INTO tokens (id, hash, policy, identifier, identifier_key, udid, client, created_at, expires_at, bound_at, key, bound_to, bound_to_key, keep_until) "
	statement := fields + fmt.Sprintf(`SELECT '%[2]s' || n, sha256(CAST(n AS text)::bytea), '%[2]s', 'SERIAL' || n, 'SERIAL' || n, '', 'enroll', n, n, n, sha256(CAST(n AS text)::bytea), 'SERIAL' || n, 'SERIAL' || n, n
		FROM generate_series(1, %[1]d) n`, count, policy)
	indexes := "SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'tokens\\_%' AND indexdef NOT LIKE '%UNIQUE%'"
	if b.url.IsSQLite() {
		statement = "PRAGMA cache_size = -2000000; PRAGMA synchronous = OFF; " +
			fmt.Sprintf("WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < %d) ", count) + fields +
			fmt.Sprintf(`SELECT '%[1]s' || n, randomblob(32), '%[1]s', 'SERIAL' || n, 'SERIAL' || n, '', 'enroll', n, n, n, randomblob(32), 'SERIAL' || n, 'SERIAL' || n, n FROM s`, policy)
		indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
	}
	return func(ctx context.Context, db *sql.DB) error {
		db.SetMaxOpenConns(1)
		statements := []string{statement}
		if count >= manyRows {
			rows, err := db.QueryContext(ctx, indexes)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var name, create string
				if err := rows.Scan(&name, &create); err != nil {
					return err
				}
				statements = append([]string{"DROP INDEX " + name}, append(statements, create)...)
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		if b.url.IsSQLite() {
			statements = append(statements, "PRAGMA wal_checkpoint(TRUNCATE)") // otherwise the next one who writes does it
		}
		for _, s := range statements {
			if _, err := db.ExecContext(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	}
}
