package store_test

import (
	"context"
	"database/sql"
	"fmt"
)

// generate makes tokens that were used long ago, and are not kept any more.
func (b *backend) generate(count int, policy string) func(context.Context, *sql.DB) error {
	const fields = "INSERT INTO tokens (id, hash, policy, identifier, identifier_key, udid, client, created_at, expires_at, bound_at, key, bound_to, bound_to_key, keep_until) "
	statement := fields + fmt.Sprintf(`SELECT '%[2]s' || n, sha256(CAST(n AS text)::bytea), '%[2]s', 'SERIAL' || n, 'SERIAL' || n, '', 'enroll', n, n, n, sha256(CAST(n AS text)::bytea), 'SERIAL' || n, 'SERIAL' || n, n
		FROM generate_series(1, %[1]d) n`, count, policy)
	if b.url.IsSQLite() {
		statement = fmt.Sprintf("WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < %d) ", count) + fields +
			fmt.Sprintf(`SELECT '%[1]s' || n, randomblob(32), '%[1]s', 'SERIAL' || n, 'SERIAL' || n, '', 'enroll', n, n, n, randomblob(32), 'SERIAL' || n, 'SERIAL' || n, n FROM s`, policy)
	}
	return func(ctx context.Context, db *sql.DB) error {
		_, err := db.ExecContext(ctx, statement)
		return err
	}
}
