package store

import (
	"context"
	"database/sql"
)

// wantOwn asks whether a database without our schema is ours to make it in, and changes nothing. Fail closed: in a SQLite file of
// another program, its journal and its mode would be changed too, and that program may not find it again.
func (d *DB) wantOwn(ctx context.Context) error {
	found := class("")
	err := d.read(ctx, func(ctx context.Context, q querier) (err error) {
		if d.url.IsSQLite() {
			found, err = othersIn(ctx, q)
		} else {
			found, err = obstacleIn(ctx, q)
		}
		return err
	})
	if err == nil && found != "" {
		return &fault{place: d.url.String(), class: found}
	}
	return err
}

// othersIn looks for tables in a SQLite file that has none of ours.
func othersIn(ctx context.Context, q querier) (found class, err error) {
	others := 0
	err = q.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_schema WHERE NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '"+versionTable+"')").Scan(&others)
	if others > 0 {
		found = foreign
	}
	return found, err
}

// obstacleIn looks for what would stop the daemon from making its tables in PostgreSQL.
func obstacleIn(ctx context.Context, q querier) (found class, err error) {
	var (
		mayCreate sql.NullBool // not valid where there is no schema
		hasTable  bool
	)
	err = q.QueryRowContext(ctx, "SELECT has_schema_privilege(current_schema(), 'CREATE'), to_regclass('tokens') IS NOT NULL").Scan(&mayCreate, &hasTable)
	switch {
	case err != nil:
	case !mayCreate.Valid:
		found = noSchema
	case hasTable:
		found = taken
	case !mayCreate.Bool:
		found = forbidden
	}
	return found, err
}

// wantOwnFile is wantOwn for the daemon, over a connection that leaves the file as it is.
func wantOwnFile(ctx context.Context, u URL, path string) error {
	d, err := open(ctx, u, path, false)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // nothing was written
	return d.wantOwn(ctx)
}
