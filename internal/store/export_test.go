package store

import (
	"context"
	"database/sql"
	"strings"

	"step-posture-connector/internal/enroll"
)

// Path is that of the SQLite file; empty for PostgreSQL.
func (u URL) Path() string { return u.path }

// Setting is a value that a connection of the pool has.
func (d *DB) Setting(ctx context.Context, query string) (value string, err error) {
	err = d.pool.QueryRowContext(ctx, query).Scan(&value)
	return value, err
}

// Plans are how SQLite finds what lists ask for.
func (d *DB) Plans(ctx context.Context, filters ...enroll.Filter) (plans []string, err error) {
	p := &planner{querier: d.pool}
	if _, err := d.bound(ctx, p, "policy", enroll.Key{}); err != nil {
		return nil, err
	}
	for _, f := range filters {
		if _, err := d.list(ctx, p, f); err != nil {
			return nil, err
		}
	}
	return p.plans, nil
}

type planner struct {
	querier
	plans []string
}

func (p *planner) QueryContext(ctx context.Context, statement string, arguments ...any) (*sql.Rows, error) {
	rows, err := p.querier.QueryContext(ctx, "EXPLAIN QUERY PLAN "+statement, arguments...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var ignored any
		var step string
		if err := rows.Scan(&ignored, &ignored, &ignored, &step); err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	p.plans = append(p.plans, strings.Join(steps, "; "))
	return p.querier.QueryContext(ctx, statement, arguments...)
}
