package store

import "context"

// Setting is a value that a connection of the pool has.
func (d *DB) Setting(ctx context.Context, query string) (value string, err error) {
	err = d.pool.QueryRowContext(ctx, query).Scan(&value)
	return value, err
}

// Plan is how the database finds what a statement asks for.
func (d *DB) Plan(ctx context.Context, statement string, arguments ...any) (plan string, err error) {
	explain := "EXPLAIN "
	if d.url.IsSQLite() {
		explain = "EXPLAIN QUERY PLAN "
	}
	rows, err := d.pool.QueryContext(ctx, explain+statement, arguments...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		var ignored any
		destinations := []any{&line}
		if d.url.IsSQLite() {
			destinations = []any{&ignored, &ignored, &ignored, &line}
		}
		if err := rows.Scan(destinations...); err != nil {
			return "", err
		}
		plan += line + "\n"
	}
	return plan, rows.Err()
}
